"""Integrating entries: the files of a log are a function of its entries alone, however it grew."""

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model import merkle
from decklog.model.tlog import bundle, edge, tiles
from services.audit.core import integration

PUBLIC, SALTS = f"{integration.PUBLIC}/", f"{integration.SALTS}/"
LARGEST = 66_200


def entry(number):
    """Every third leaf has no payload, so no salt."""
    return integration.Entry(number, b"receipt %d" % number, None if number % 3 == 0 else b"%032d" % number)


ENTRIES = [entry(number) for number in range(LARGEST)]


def grown(*sizes):
    """The files after publishing at each of the sizes in turn, and what was reached."""
    files, here, before = {}, edge.Edge(), 0
    for size in sizes:
        reached, whole = integration.integrate(here, ENTRIES[here.size : size])
        files |= {file.path: file.data for file in (*whole, *integration.partial(reached))}
        gone = integration.outgrown(before, size)
        files = {path: data for path, data in files.items() if not path.startswith(tuple(f"{one}/" for one in gone))}
        here, before = reached.edge, size
    return files, reached


def wanted(size):
    """The paths of a log of that size, after the specification."""
    hashes = {PUBLIC + tile.path for tile in tiles.of_size(size)}
    groups = list(tiles.bundles_of_size(size))
    return hashes | {PUBLIC + one.path for one in groups} | {SALTS + one.path.removeprefix("tile/") for one in groups}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600, 65_535, 65_536, LARGEST])
def test_at_once_it_is_exactly_the_log_of_that_size(size):
    """Every tile, bundle and salt file of the definition, no other; the tree is that of the entries."""
    files, reached = grown(size)
    assert set(files) == wanted(size)
    assert reached.tree(size) == merkle.Frontier().extend(merkle.leaf_hash(one.receipt) for one in ENTRIES[:size])


@hypothesis.settings(max_examples=20)
@hypothesis.given(strategies.lists(strategies.integers(1, 700), min_size=1, max_size=8))
def test_however_it_grew_it_is_the_same_log(steps):
    """In any steps: the files that the last size needs are those made at once."""
    sizes = [sum(steps[: number + 1]) for number in range(len(steps))]
    at_once, reached = grown(sizes[-1])
    grew, same = grown(*sizes)
    assert same == reached
    assert {path: grew[path] for path in at_once} == at_once


def test_what_was_published_before_stays_until_the_whole_tile_is_there():
    """Partial tiles of every published size are kept as long as the tile is not whole, then all of them go."""
    files, _ = grown(3, 200, 255)
    assert {f"{PUBLIC}tile/0/000.p/{width}" for width in (3, 200, 255)} <= set(files)
    files, _ = grown(3, 200, 255, 256)
    assert set(files) == wanted(256)
    files, _ = grown(3, 300)
    assert set(files) == wanted(300)


def test_salts_lie_apart_and_are_private():
    """One length and salt for each entry of the bundle; nothing of them under what is served."""
    reached, files = integration.integrate(edge.Edge(), ENTRIES[:300])
    private = [file for file in (*files, *integration.partial(reached)) if file.private]
    assert [file.path for file in private] == ["salts/entries/000", "salts/entries/001.p/44"]
    assert private[0].data[:34] == b"\x00\x20" + ENTRIES[1].salt
    public = b"".join(file.data for file in (*files, *integration.partial(reached)) if not file.private)
    assert not any(one.salt and one.salt in public for one in ENTRIES[:300])


def test_a_bundle_holds_the_receipts():
    """Entry for entry, and they hash to the tile of hashes beside it."""
    _, files = integration.integrate(edge.Edge(), ENTRIES[:256])
    found = {file.path: file.data for file in files}
    entries = bundle.decode(found[f"{PUBLIC}tile/entries/000"], 256)
    assert entries == [one.receipt for one in ENTRIES[:256]]
    assert found[f"{PUBLIC}tile/0/000"] == b"".join(map(merkle.leaf_hash, entries))
