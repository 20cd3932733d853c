"""A served log copied to a folder, file for file: what an auditor takes home. Run again it goes on where it stopped.

Payloads are no part of the log: they are asked for apart, and whoever hands them out records it.
"""

import heapq
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from decklog.client import failures
from decklog.model import errors, payload_file
from decklog.model.tlog import checkpoint, note, prefix, tiles
from decklog.verifier import anchors, proving, source

_TIME_STAMPS = "timestamps"
"""The folder that has each time stamp as two files."""


class Copied(NamedTuple):
    """What the folder holds now: the leaves of the checkpoint, and how many files had to be fetched for it."""

    size: int
    fetched: int


def copy(
    given: source.Source,
    folder: Path,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    *,
    minimum: int = 0,
) -> Copied:
    """Fetch the newest checkpoint with everything under it. The checkpoint is written last: with it the copy is whole.

    Nobody's signature is verified here, that is `verify`'s work; but a copy that is there already is only replaced by
    what goes on from it. `progress` is told of files done and files in all. `minimum` is the log's minimum index: what
    may be pruned is left out.

    Raises NotFound where no log is published, Unavailable where something is missing or cannot be read, Refused for
    what is no checkpoint, Misconfigured where the folder cannot be written, or is a copy of another log, Disproved
    where the log does not go on from the copy.
    """
    signed = proving.newest(given)
    tree = _tree(signed, "what is served as checkpoint is none", given.name)
    _insist_on_growth(given, folder, tree)
    size = tree.size
    # One after the other: nobody vouches for the size, which may name more tiles than fit into memory.
    every: Iterator[tiles.Tile | tiles.Bundle] = itertools.chain(tiles.of_size(size), tiles.bundles_of_size(size))
    files, fetched = _files(size, minimum), 0
    for done, tile in enumerate((one for one in every if not tiles.is_pruned(one, minimum)), start=1):
        target = folder / tile.path
        if not target.exists():
            _write(target, [_fetch(given, tile)])
            fetched += 1
        progress(done, files)
    checkpoints = _checkpoints(given, source.CHECKPOINTS, size)
    _write(folder / source.CHECKPOINTS, _with_kept(checkpoints, folder, source.CHECKPOINTS, size))
    time_stamps = _time_stamps(given, folder, size)
    _write_if_any(folder / source.TIME_STAMPS, _with_kept(time_stamps, folder, source.TIME_STAMPS, size))
    _write_if_any(folder / source.ROTATIONS, _rotations(given, size))
    _write(folder / source.CHECKPOINT, [signed])
    return Copied(size, fetched)


def _files(size: int, minimum: int) -> int:
    """How many tiles and bundles a log of so many leaves has, without those that are pruned."""
    levels = range(0, size.bit_length(), tiles.HEIGHT)
    whole = [size >> level + tiles.HEIGHT for level in levels]
    edge = [(size >> level) % tiles.WIDTH > 0 for level in levels]
    gone = [min(full, minimum >> level + tiles.HEIGHT) for level, full in zip(levels, whole, strict=True)]
    each = [full - pruned + part for full, pruned, part in zip(whole, gone, edge, strict=True)]
    return sum(each) + sum(each[:1])


Payloads = Callable[[int, int], AbstractContextManager[IO[bytes]]]
"""Opens the payloads of the leaves [first, end), one record after the other."""


def copy_payloads(
    opened: Payloads, folder: Path, size: int, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> int:
    """Fetch the payloads of the first `size` leaves that are not there yet; how many files that were.

    `progress` is told of leaves done and leaves in all. Raises as `copy` does.
    """
    fetched = 0
    for groups in _stretches(folder, size):
        first, end = groups[0].number * tiles.WIDTH, groups[-1].number * tiles.WIDTH + groups[-1].width
        with opened(first, end) as body:
            records = payload_file.records(body.read)
            for group in groups:
                _write(folder / payload_file.path(group), _records(records, group), private=True)
                fetched += 1
                progress(group.number * tiles.WIDTH + group.width, size)
    return fetched


def _stretches(folder: Path, size: int) -> Iterator[list[tiles.Bundle]]:
    """Bundles without payload files, those that follow each other together: each stretch is asked for at once."""
    missing = (one for one in tiles.bundles_of_size(size) if not (folder / payload_file.path(one)).exists())
    numbered = itertools.groupby(enumerate(missing), key=lambda one: one[1].number - one[0])
    for _, together in numbered:
        yield [group for _, group in together]


def _records(records: Iterator[payload_file.Record], group: tiles.Bundle) -> Iterator[bytes]:
    """The records of a bundle as they are written. Raises Unavailable where they end before."""
    for number in range(group.width):
        try:
            record = next(records, None)
        except payload_file.Malformed as error:
            raise _ended(group, number) from error
        if record is None:
            raise _ended(group, number)
        yield payload_file.written(record)


def _ended(group: tiles.Bundle, number: int) -> failures.Unavailable:
    leaf = group.number * tiles.WIDTH + number
    return failures.Unavailable(
        f"the payloads end before leaf {leaf}", hint="Run it again: it goes on where it stopped"
    )


def _insist_on_growth(given: source.Source, folder: Path, new: checkpoint.Checkpoint) -> None:
    """A copy is what its owner has against a log that was cut or forked: for that log it is not given up."""
    copied = source.Folder(folder)
    kept = copied.read(source.CHECKPOINT)
    if kept is None:
        return
    old = _tree(kept, "the copy's checkpoint is none", str(folder / source.CHECKPOINT))
    if old.origin != new.origin:
        text = f"it is a copy of another log, {old.origin!r}"
        raise failures.Misconfigured(text, where=str(folder), hint="Name a new folder")
    if old.size > new.size:
        text = f"the log shows {new.size} leaves, and had {old.size} when it was copied: it was cut or restored"
        raise proving.Disproved(text, where=given.name, hint=f"Keep the copy, which shows that. {_ANEW}")
    try:
        if old.size > 0:
            proving.growth(_Both(copied, given), old, new)
    except source.Pruned as error:
        text = f"what lies between the copy of {old.size} leaves and the log is pruned"
        raise failures.NotFound(text, where=given.name, hint=_ANEW) from error
    except proving.Disproved as error:
        text = (
            f"the log does not prove that it goes on from the copy of {old.size} leaves: it was forked, or is damaged"
        )
        hint = f"Keep the copy; `decklog verify` says whether it is the one that is damaged. {_ANEW}"
        raise proving.Disproved(text, where=given.name, hint=hint) from error


_ANEW = "To copy the log as it is now, name a new folder"


@dataclass(frozen=True, slots=True)
class _Both:
    """A copy, and for what it lacks the log."""

    copied: source.Folder
    given: source.Source

    @property
    def name(self) -> str:
        """See `source.Source`."""
        return self.given.name

    def read(self, path: str) -> bytes | None:
        """See `source.Source`."""
        data = self.copied.read(path)
        return self.given.read(path) if data is None else data

    def lines(self, path: str) -> Iterator[bytes]:
        """See `source.Source`."""
        return self.given.lines(path)

    def close(self) -> None:
        """See `source.Source`."""
        self.given.close()


def _tree(signed: bytes, problem: str, where: str) -> checkpoint.Checkpoint:
    try:
        return checkpoint.parse(note.parse(signed).text)
    except (note.Malformed, checkpoint.Malformed) as error:
        raise errors.Refused(f"{problem}: {error}", where=where) from error


def _fetch(given: source.Source, tile: tiles.Tile | tiles.Bundle) -> bytes:
    """A tile; a partial one that is gone is made of the whole one that took its place."""
    found = source.read_tile(given, tile)
    if found is None:
        raise failures.Unavailable(
            f"{tile.path} is missing", where=given.name, hint="Try again; if it stays so, verify that log by its URL"
        )
    one, data = found
    try:
        return data if one == tile else prefix.of(tile, data)
    except ValueError as error:
        raise failures.Unavailable(
            f"{one.path} is damaged: {error}", where=given.name, hint="Tell whoever runs the log"
        ) from error


def _time_stamps(given: source.Source, folder: Path, size: int) -> Iterator[bytes]:
    """The lines of the time stamps; each is written as the two files, too, that `openssl ts -verify` reads."""
    for line in _checkpoints(given, source.TIME_STAMPS, size):
        try:
            found = anchors.stamped(line)
        except ValueError as error:
            raise errors.Refused(str(error), where=f"{given.name}/{source.TIME_STAMPS}") from error
        name = folder / _TIME_STAMPS / str(found.size)
        _write(name.with_suffix(".checkpoint"), [found.note])
        _write(name.with_suffix(".tsr"), [found.token])
        yield line


def _checkpoints(given: source.Source, path: str, size: int) -> Iterator[bytes]:
    """The lines of the checkpoints that are not larger than the one that is copied."""
    return _lines(given, path, lambda said: said["size"] <= size, "checkpoint")


def _with_kept(served: Iterator[bytes], folder: Path, path: str, size: int) -> Iterator[bytes]:
    """The lines that are served, and by their size among them those that only the copy has still.

    A log that was recovered has lost some of them, and one that was forked shows others: both are worth keeping.
    """
    before = None
    for line in heapq.merge(served, _checkpoints(source.Folder(folder), path, size), key=lambda line: _said(line)[0]):
        said = _said(line)
        if said != before:
            yield line
        before = said


def _said(line: bytes) -> tuple[int, str]:
    """The size in a line, and the text of its checkpoint without the signatures."""
    found = orjson.loads(line)
    return found["size"], str(found.get("note")).rpartition("\n\n")[0]


def _rotations(given: source.Source, size: int) -> Iterator[bytes]:
    """The lines of the leaves that rotate the log's key, of those that are copied."""
    return _lines(given, source.ROTATIONS, lambda said: said["leaf"] < size, "rotation")


def _lines(given: source.Source, path: str, belongs: Callable[[Any], bool], kind: str) -> Iterator[bytes]:
    """The lines of a file that belong to what is copied. Raises Refused for one that is not of the kind."""
    for number, line in enumerate(given.lines(path), start=1):
        try:
            wanted = belongs(orjson.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise errors.Refused(f"line {number} is none of a {kind}", where=f"{given.name}/{path}") from error
        if wanted:
            yield line


def _write_if_any(target: Path, lines: Iterator[bytes]) -> None:
    first = next(lines, None)
    if first is not None:
        _write(target, itertools.chain([first], lines))


def _write(target: Path, parts: Iterable[bytes], *, private: bool = False) -> None:
    """Write a file as a whole. Raises Misconfigured where that is not possible."""
    unfinished = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
        mode = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(unfinished, mode, 0o600 if private else 0o666), "wb") as opened:
            opened.writelines(parts)
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.rename(target)
    except OSError as error:
        raise failures.Misconfigured(
            f"the copy cannot be written: {error.strerror}", where=str(target), hint="Name a folder of yours with space"
        ) from error
