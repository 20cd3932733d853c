"""The offline verifier against a large log with one thing changed: it must name the leaf, the file and the bytes.

Two levels of whole tiles and three partial ones, so it takes seconds, and `make check` leaves it out.
"""

import shutil

import pytest

from decklog.model.tlog import bundle, policy, tiles
from decklog.verifier import log, source
from tests import log_files

SIZE = 66_000
TRUSTED = policy.of_keys([log_files.SIGNER.verifier])
ENTRIES = log_files.receipts(SIZE)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    log_files.write(folder, ENTRIES)
    return folder


@pytest.fixture
def folder(original, tmp_path):
    """A copy that shares its files with the original until one is replaced."""
    return shutil.copytree(
        original, tmp_path / "log", copy_function=lambda here, there: __import__("os").link(here, there)
    )


def replace(folder, path, data):
    """Put another file in the place of one, without touching the original's."""
    (folder / path).unlink(missing_ok=True)
    if data is not None:
        log_files.put(folder, path, data)


def flip(folder, path, at):
    """One bit of one byte."""
    data = bytearray((folder / path).read_bytes())
    data[at] ^= 1
    replace(folder, path, bytes(data))


def verify(folder, trusted=TRUSTED, **wanted):
    return log.verify(source.Folder(folder), trusted, log.Wanted(**wanted))


def told(folder, **wanted):
    return [str(one) for one in verify(folder, **wanted).findings]


def span(leaf):
    """Where an entry lies in its bundle."""
    first = leaf // 256 * 256
    return bundle.span(ENTRIES[first : first + 256], leaf - first)


def test_a_large_log_is_what_was_signed(original):
    """Every tile of every level, and every earlier checkpoint: nothing is found."""
    verdict = verify(original, receipts=False)
    assert [str(one) for one in verdict.findings] == []
    assert (verdict.leaves, verdict.checkpoints) == (SIZE, len(log_files.KNOWN) + 1)


@pytest.mark.parametrize("leaf", [0, 5, 255, 256, 40_000, 65_535, 65_536, SIZE - 1])
def test_a_changed_entry_is_found_alone(folder, leaf):
    """One bit of one entry, anywhere: that leaf, at its bytes in its bundle."""
    path = tiles.bundle_of(leaf, SIZE).path
    start, end = span(leaf)
    flip(folder, path, start + 30)
    text = "it is not the entry whose hash the signed root vouches for"
    assert told(folder, receipts=False) == [f"leaf {leaf}: {path} bytes {start} to {end - 1}: {text}"]


@pytest.mark.parametrize("leaf", [0, 255, 40_000, 65_535, 65_536, SIZE - 1])
def test_a_changed_leaf_hash_is_found_alone(folder, leaf):
    """One bit of a tile at level 0: the entries say that the tile is wrong, and where."""
    path = tiles.tile_of(0, leaf // 256, SIZE).path
    flip(folder, path, leaf % 256 * 32 + 7)
    at = leaf % 256 * 32
    text = f"it is not the hash of leaf {leaf}, which the signed root vouches for"
    assert told(folder, receipts=False) == [f"leaf {leaf}: {path} bytes {at} to {at + 31}: {text}"]


@pytest.mark.parametrize(("level", "number", "column"), [(1, 0, 0), (1, 0, 255), (1, 1, 0), (2, 0, 0)])
def test_a_changed_inner_hash_is_found_alone(folder, level, number, column):
    """Tiles above level 0, whole and partial: the tile below it is named."""
    path = tiles.tile_of(level, number, SIZE).path
    flip(folder, path, column * 32)
    below = tiles.Tile(level - 1, number * 256 + column).path
    text = f"it is not the hash of {below}, which the signed root vouches for"
    assert told(folder, receipts=False) == [f"{path} bytes {column * 32} to {column * 32 + 31}: {text}"]


@pytest.mark.parametrize(
    "path",
    [
        tiles.Tile(0, 3).path,
        tiles.Tile(0, 257, 208).path,
        tiles.Tile(1, 0).path,
        tiles.Tile(1, 1, 1).path,
        tiles.Tile(2, 0, 1).path,
    ],
)
def test_a_missing_or_short_tile_is_found_alone(folder, path):
    """Gone or cut: named once, and everything below it is verified all the same."""
    data = (folder / path).read_bytes()
    replace(folder, path, None)
    assert told(folder, receipts=False) == [f"{path}: it is missing"]
    replace(folder, path, data[:-1])
    assert told(folder, receipts=False) == [f"{path}: it has {len(data) - 1} bytes instead of {len(data)}"]
    assert verify(folder, receipts=False).leaves == SIZE


@pytest.mark.parametrize("path", [tiles.Bundle(3).path, tiles.Bundle(257, 208).path])
def test_a_missing_cut_or_longer_bundle_is_found_alone(folder, path):
    """Entries gone, the last one cut, bytes behind it: the bundle, the leaf and the bytes."""
    data = (folder / path).read_bytes()
    number = tiles.parse(path).number
    last = number * 256 + tiles.parse(path).width - 1
    for changed, expected in (
        (None, f"{path}: it is missing"),
        (data[:-1], f"leaf {last}: {path} bytes {span(last).start - 2} to"),
        (data + b"more", f"{path} bytes {len(data)} to {len(data) + 3}: 4 bytes follow the last of"),
    ):
        replace(folder, path, changed)
        (found,) = told(folder, receipts=False)
        assert found.startswith(expected)


@pytest.mark.parametrize("change", ["deleted", "inserted", "swapped"])
def test_entries_in_another_order_or_number_are_found(folder, change):
    """An entry taken out, slipped in or exchanged with its neighbour: exactly the leaves from there on differ."""
    entries = ENTRIES[512:768]
    at = 100
    if change == "deleted":
        entries = [*entries[:at], *entries[at + 1 :], b"{}"]
    elif change == "inserted":
        entries = [*entries[:at], b"{}", *entries[at:-1]]
    else:
        entries = [*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]]
    replace(folder, tiles.Bundle(2).path, bundle.encode(entries))
    found = [one.leaf for one in verify(folder, receipts=False, most=1000).findings]
    assert found == ([612, 613] if change == "swapped" else list(range(612, 768)))


def test_a_whole_tile_exchanged_for_another_is_found(folder):
    """Two bundles with their tiles exchanged: both places are named, nothing else."""
    for make in (lambda number: tiles.Tile(0, number).path, lambda number: tiles.Bundle(number).path):
        one, other = make(5), make(6)
        first, second = (folder / one).read_bytes(), (folder / other).read_bytes()
        replace(folder, one, second)
        replace(folder, other, first)
    text = "neither it nor the entries give the hash that the tile above it has"
    assert told(folder, receipts=False) == [f"tile/0/00{number}: {text}" for number in (5, 6)]
