"""Completeness of a log: every offset of every Kafka partition, and every commit of every followed source.

The first is in the receipts. The second is in the payloads of CommitObserved and RefMoved, where the copy has them;
only those are read a second time.
"""

import contextlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from decklog.events.v1 import git_pb2
from decklog.model import coverage, events, git_record, payload_file, receipt
from decklog.model.tlog import tiles
from decklog.verifier import payloads
from decklog.verifier.finding import Finding, Report

_PLACE = re.compile(
    rb',"kafka":\{"cluster":"([ !#-\[\]-~]*+)","epoch":([0-9]+),"offset":([0-9]+),"partition":([0-9]+),'
    rb'"topic":"([ !#-\[\]-~]*+)"\},"key":'
)
_GIT = re.compile(
    rb'"source":"([ !#-\[\]-~]*+)","subject":.*"type":"dev\.decklog\.v1\.(?:CommitObserved|RefMoved)"\}'
    rb',"commitment":.*,"kind":"event",'
)


@dataclass(slots=True)
class Completeness:
    """One pass over the entries of a log, in order. `open` opens payload files; without it no history is looked at."""

    report: Report
    open: payloads.Open | None
    offsets: coverage.Coverage = field(default_factory=coverage.Coverage)
    histories: dict[str, git_record.History] = field(default_factory=dict)
    """By source."""
    uncovered: int = 0
    """Leaves that could not be read, and so cover nothing."""

    def check(self, group: payloads.Group) -> None:
        """Report what is missing before, or among, these leaves."""
        first = group.bundle.number * tiles.WIDTH
        git: dict[int, str] = {}
        for number, (entry, said) in enumerate(zip(group.entries, group.said, strict=True)):
            if said is None:
                self.uncovered += 1
                continue
            kind, place, about = _placed(entry)
            if place is not None:
                for problem in self.offsets.add(first + number, kind, place, about):
                    self.report(Finding(path=f"{place.topic}/{place.partition}", problem=problem, leaf=first + number))
            found = _GIT.search(entry)
            if found is not None:
                git[number] = found[1].decode().rpartition("/")[2]
        if git and self.open is not None:
            self._read_git(group, git, self.open)

    def _read_git(self, group: payloads.Group, wanted: dict[int, str], given: payloads.Open) -> None:
        for number, record in enumerate(_records(group, given)):
            source = wanted.get(number)
            if source is not None:
                leaf = group.bundle.number * tiles.WIDTH + number
                for problem in self._git(leaf, source, group.entries[number], record):
                    self.report(Finding(path=f"source {source}", problem=problem, leaf=leaf))

    def _git(self, leaf: int, source: str, entry: bytes, record: payload_file.Record) -> Iterator[str]:
        history = self.histories.setdefault(source, git_record.History())
        state, salted, _ = record
        if state != payloads.VALUE:
            history.erased += 1
            return
        attributes = receipt.parse(entry).attributes
        ce_type = "" if attributes is None else str(attributes.type)
        try:
            message = events.decode(ce_type, salted[receipt.SALT_BYTES :])
        except (events.UnknownType, events.Malformed) as error:
            yield f"what it says cannot be read: {error}"
            return
        match message:
            case git_pb2.CommitObserved():
                yield from history.commit(message)
            case git_pb2.RefMoved():
                yield from history.move(leaf, message)


def _records(group: payloads.Group, given: payloads.Open) -> Iterator[payload_file.Record]:
    """The records of a group's payload file; that it is missing or malformed is told by who verifies it."""
    path, opened = payloads.open_file(given, group.bundle)
    if opened is not None:
        with opened, payloads.readable(path), contextlib.suppress(payload_file.Malformed):
            yield from itertools.islice(payload_file.records(opened.read), len(group.entries))


def _placed(entry: bytes) -> tuple[str, receipt.Place | None, receipt.About | None]:
    """Kind, coordinates and what else a canonical receipt is about."""
    found = _PLACE.search(entry) if entry.startswith(b'{"about":null,') and b',"kind":"event",' in entry else None
    if found is None:
        said = receipt.parse(entry)
        return said.kind.value, said.place, said.about
    cluster, epoch, offset, partition, topic = found.groups()
    place = receipt.Place(cluster.decode(), topic.decode(), int(epoch), int(partition), int(offset))
    return receipt.Kind.EVENT.value, place, None
