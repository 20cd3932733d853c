"""Payloads beside a copied log: is each what its leaf commits to, and do the headers say what the receipt says?

Read record by record, so that memory does not grow with them. A leaf commits to salt and value, and the salt to the
headers.
"""

import contextlib
import itertools
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, NamedTuple

from decklog.client import failures
from decklog.model import hashing, payload_file, receipt, receipt_attributes, receipt_lines
from decklog.model.tlog import tiles
from decklog.verifier.finding import Finding, Report

Open = Callable[[str], IO[bytes] | None]
"""Opens a file of the copy by its path; None where there is none."""

VALUE, NONE = payload_file.State.VALUE.value, payload_file.State.NONE.value
GONE, NULL = payload_file.State.GONE.value, payload_file.State.NULL.value


_GLANCE_BYTES = 1 << 20
"""Files that are smaller are read at once."""


class Group(NamedTuple):
    """A bundle of entries, and what each says; None for one that is wrong."""

    bundle: tiles.Bundle
    entries: Sequence[bytes]
    said: Sequence[receipt_lines.Said | None]


@dataclass(slots=True)
class _Seen:
    """What a payload file holds, leaf by leaf, without the payloads themselves."""

    states: list[bytes] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    unfit: set[int] = field(default_factory=set)
    """The numbers of leaves whose salts are of other headers."""
    headers: list[tuple[int, bytes]] = field(default_factory=list)
    """Headers to be compared with the receipt, by number of the leaf."""

    def span(self, number: int) -> tuple[int, int]:
        """The bytes of a record in its file."""
        return self.ends[number - 1] if number else 0, self.ends[number]


@dataclass(slots=True)
class Payloads:
    """One pass over the payload files, beside the entries."""

    open: Open
    report: Report
    checked: int = 0
    """Payloads that are what their leaves commit to."""
    erased: list[tuple[int, int]] = field(default_factory=list)
    """The ranges of leaves that erasure leaves name."""
    gone: list[tuple[int, int]] = field(default_factory=list)
    """The ranges of leaves whose payloads are not there any more."""

    @property
    def gone_count(self) -> int:
        """How many payloads are not there any more."""
        return sum(end - first for first, end in self.gone)

    def check(self, group: Group) -> None:
        """Report what is wrong with the payloads of these leaves."""
        path, seen, problem = self._seen(group)
        if seen is None:
            self.checked += len(group.said)
            return
        wrong = list(_problems(group, seen))
        self.checked += seen.states.count(VALUE) + seen.states.count(NULL) - len(wrong)
        for number, state in enumerate(seen.states if GONE in seen.states else ()):
            if state == GONE:
                self._note_gone(group.bundle.number * tiles.WIDTH + number)
        for number, text in wrong:
            self._tell(path, group, number, text, seen.span(number))
        for number, kept in seen.headers:
            if number < len(group.said) and group.said[number] is not None:
                text = receipt_attributes.contradiction(group.entries[number], kept)
                if text:
                    self._tell(path, group, number, text, seen.span(number))
        if problem:
            end = seen.ends[-1] if seen.ends else 0
            self._tell(path, group, len(seen.states), problem, (end, end + 1))

    def values(self, bundle: tiles.Bundle, wanted: Mapping[int, bytes]) -> Iterator[tuple[int, bytes]]:
        """Some payloads of a bundle, in one more pass: those that are there and what is `wanted`.

        `wanted` has commitments by number of the leaf in the bundle, and so have they.
        """
        if not wanted:
            return
        path, opened = open_file(self.open, bundle)
        if opened is None:
            return
        with opened, readable(path), contextlib.suppress(payload_file.Malformed):
            records = itertools.islice(payload_file.records(opened.read), max(wanted) + 1)
            for number, (state, salted, _) in enumerate(records):
                if state == VALUE and number in wanted and hashing.sha256(salted) == wanted[number]:
                    yield number, salted[receipt.SALT_BYTES :]

    def end(self) -> None:
        """Report payloads that are gone without an erasure leaf that says so."""
        for first, end in _beyond(self.gone, self.erased):
            for leaf in range(first, end):
                path = payload_file.path(tiles.Bundle(leaf // tiles.WIDTH))
                text = "its payload is gone, and no leaf says that it was erased"
                self.report(Finding(path=path, problem=text, leaf=leaf))

    def _seen(self, group: Group) -> tuple[str, _Seen | None, str]:
        """The path of the group's file, what it holds (None: at a glance all is right), and why reading ended early."""
        path, opened = open_file(self.open, group.bundle)
        if opened is None:
            return path, _Seen(), "there are no payloads of these leaves: the file is missing"
        with opened, readable(path):
            data = opened.read(_GLANCE_BYTES)
            if len(data) < _GLANCE_BYTES and _all_right(group.said, data):
                return path, None, ""
            opened.seek(0)
            return path, *_read(opened, len(group.entries), whole=path == payload_file.path(group.bundle))

    def _note_gone(self, leaf: int) -> None:
        if self.gone and self.gone[-1][1] == leaf:
            self.gone[-1] = (self.gone[-1][0], leaf + 1)
        else:
            self.gone.append((leaf, leaf + 1))

    def _tell(self, path: str, group: Group, number: int, problem: str, span: tuple[int, int]) -> None:
        leaf = group.bundle.number * tiles.WIDTH + number if number < len(group.said) else None
        self.report(Finding(path=path, problem=problem, leaf=leaf, span=span))


def open_file(given: Open, bundle: tiles.Bundle) -> tuple[str, IO[bytes] | None]:
    """The path of a bundle's payloads, and the file: that of the whole bundle may have taken its place."""
    for one in dict.fromkeys((bundle, bundle.full)):
        path = payload_file.path(one)
        opened = given(path)
        if opened is not None:
            return path, opened
    return payload_file.path(bundle), None


@contextlib.contextmanager
def readable(path: str) -> Iterator[None]:
    """Raise Unavailable for what the disk refuses."""
    try:
        yield
    except OSError as error:
        raise failures.Unavailable(f"the file cannot be read: {error.strerror}", where=path) from error


def _read(opened: IO[bytes], count: int, *, whole: bool) -> tuple[_Seen, str]:
    """What a file holds of the first `count` leaves; `whole`: of no others."""
    seen, at, number = _Seen(), 0, 0
    records = payload_file.records(opened.read)
    try:
        for state, salted, headers in itertools.islice(records, count):
            if salted and not receipt.fits(salted[: receipt.SALT_BYTES], headers):
                seen.unfit.add(number)
            elif receipt_attributes.may_repeat(headers):
                seen.headers.append((number, headers))
            at += payload_file.HEAD.size + len(salted) + len(headers)
            seen.states.append(state)
            seen.digests.append(hashing.sha256(salted))
            seen.lengths.append(len(salted))
            seen.ends.append(at)
            number += 1
        if number < count:
            return seen, f"it ends after {number} of {count} records"
        if whole and next(records, None) is not None:
            return seen, f"more follows the last of {count} records"
    except payload_file.Malformed as error:
        return seen, str(error)
    return seen, ""


def _problems(group: Group, seen: _Seen) -> Iterator[tuple[int, str]]:
    """What is wrong with payloads that are there, by number of the leaf."""
    for number, (state, digest, length) in enumerate(zip(seen.states, seen.digests, seen.lengths, strict=True)):
        said = group.said[number]
        if said is not None:
            problem = _problem(said, group.entries[number], state, digest.hex().encode(), length - receipt.SALT_BYTES)
            if not problem and number in seen.unfit:
                problem = "its headers are not those that its leaf commits to: its salt is of others"
            if problem:
                yield number, problem


def _all_right(said: Sequence[receipt_lines.Said | None], data: bytes) -> bool:
    """Whether a file of small payloads is, at a glance, what the leaves commit to: nearly always it is.

    Of anything else (a leaf without a payload or a value, headers that must be compared) nothing is said.
    """
    salted, bound, at = list[bytes](), list[bytes](), 0
    head, unpack, salt = payload_file.HEAD.size, payload_file.HEAD.unpack_from, receipt.SALT_BYTES
    drawn = receipt.DRAWN_BYTES
    try:
        for _ in said:
            state, length, extra = unpack(data, at)
            if state != VALUE or not length:
                return False
            first = at + head
            middle = first + salt + length
            at = middle + extra
            salted.append(data[first:middle])
            bound.append(data[first : first + drawn] + data[middle:at])
    except struct.error:
        return False
    if at != len(data) or None in said:
        return False
    sure = [one for one in said if one is not None]
    digests = b"".join(hashing.sha256_each(salted)).hex().encode()
    return (
        digests == b"".join([one[0] for one in sure])
        and [len(one) for one in salted] == [int(one[1]) + salt for one in sure]
        and [one[:drawn] for one in hashing.sha256_each(bound)] == [one[drawn:salt] for one in salted]
        and not receipt_attributes.may_repeat(b"".join(bound))
    )


def _problem(said: receipt_lines.Said, entry: bytes, state: bytes, digest: bytes, length: int) -> str:
    committed = bool(said[0])
    if state == NONE:
        return "its leaf commits to a payload, and the copy says that it has none" if committed else ""
    if not committed:
        return "it has a payload, and its leaf commits to none"
    if state == GONE:
        return ""
    if digest != said[0]:
        return "its payload is not the one that its leaf commits to: SHA-256(salt, value) is another"
    if (state == NULL) is not receipt_attributes.lacks_value(entry):
        return "its leaf is none that can lack a value" if state == NULL else "its leaf is of a record without a value"
    return "" if length == int(said[1]) else f"its payload has {length} bytes, its leaf says {int(said[1])}"


def _beyond(gone: Sequence[tuple[int, int]], erased: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts of the first ranges that none of the others covers. The first come in order and do not overlap."""
    covers, passed, reached = sorted(one for one in erased if one[0] < one[1]), 0, 0
    for first, end in gone:
        at = max(first, min(reached, end))
        while passed < len(covers) and covers[passed][0] < end:
            start, stop = covers[passed]
            if start > at and stop > at:
                yield at, start
            at, reached = max(at, min(stop, end)), max(reached, stop)
            passed += 1
        if at < end:
            yield at, end
