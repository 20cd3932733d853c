"""The rule about late words gives one answer, whoever reads, from where on, and in whatever order the logs are met."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from decklog.events.v1 import apply_pb2, drift_pb2, live_pb2, subject_pb2
from decklog.model import ownership
from services.audit.core import rows
from services.audit.core.leaf import Leaf
from tests import audit_leaves as some

LABELS = ("apply", "drift", "live")
VOID = -1
"""The tenure of a claim that counts for nothing."""


@dataclass
class Logs:
    """One partition of each topic. `told`: what stands there, and in whose tenure it was said."""

    told: dict[str, list[tuple[int, Message]]] = field(default_factory=lambda: {label: [] for label in LABELS})
    tenures: list[ownership.Right] = field(default_factory=list)

    def store(self, label: str, tenure: int, message: Message) -> None:
        self.told[label].append((tenure, message))

    def claim(self, known: int) -> int:
        """A claim by a member that knew of so many tenures: the next one, or void if it missed any."""
        right = ownership.Right(0, len(self.told["apply"]))
        after = self.tenures[known - 1] if known else ownership.NOBODY
        claim = apply_pb2.OwnershipTaken(after=fence(after))
        tenure = len(self.tenures) if known == len(self.tenures) else VOID
        self.store("apply", tenure, claim)
        if tenure != VOID:
            self.tenures.append(right)
        return tenure

    def late(self, label: str) -> list[int]:
        """The offsets that no reader may count: void claims, and words behind one of a later tenure."""
        by = [tenure for tenure, _ in self.told[label]]
        return [at for at, tenure in enumerate(by) if tenure == VOID or any(one > tenure for one in by[:at])]


def fence(right: ownership.Right) -> subject_pb2.Fence:
    return subject_pb2.Fence(topic_epoch=right.topic_epoch, offset=right.offset)


def word(label: str, right: ownership.Right, number: int) -> Message:
    """Something that a member says under its right."""
    if label == "apply":
        return apply_pb2.SyncStarted(application=some.application(), sync_id=f"s{number}", fence=fence(right))
    if label == "drift":
        observed = some.drift(drift_pb2.DRIFT_PHASE_OPENED, episode=f"e{number}")
        observed.fence.CopyFrom(fence(right))
        return observed
    return live_pb2.WatchGap(cluster="dev", reason=f"r{number}", fence=fence(right))


@st.composite
def stored(draw: st.DrawFn) -> Logs:
    """Members claim and speak; whatever one sends may be stored at any later time, its claims too."""
    logs, waiting = Logs(), []  # type: ignore[var-annotated]
    for number in range(draw(st.integers(1, 14))):
        _store_some(draw, waiting)
        for sent in _sent(draw, logs, number):
            waiting.append(sent) if draw(st.booleans()) else sent()
    while waiting:
        _store_some(draw, waiting)
    return logs


def _store_some(draw: st.DrawFn, waiting: list[Callable[[], None]]) -> None:
    """Some of what waits arrives, in any order."""
    for _ in range(draw(st.integers(0, len(waiting)))):
        waiting.pop(draw(st.integers(0, len(waiting) - 1)))()


def _sent(draw: st.DrawFn, logs: Logs, number: int) -> list[Callable[[], None]]:
    """A claim, or a word of somebody who claimed; as what is done when Kafka stores it."""
    if not logs.tenures or draw(st.integers(0, 3)) == 0:
        known = len(logs.tenures)
        return [lambda: _claim(logs, known)]
    tenure = draw(st.integers(0, len(logs.tenures) - 1))
    label = draw(st.sampled_from(LABELS))
    message = word(label, logs.tenures[tenure], number)
    return [lambda: logs.store(label, tenure, message)]


def _claim(logs: Logs, known: int) -> None:
    tenure = logs.claim(known)
    if tenure != VOID:
        right = fence(logs.tenures[tenure])
        logs.store("drift", tenure, drift_pb2.DriftOwnershipTaken(fence=right))
        logs.store("live", tenure, live_pb2.LiveOwnershipTaken(fence=right))


def read(logs: Logs, label: str, *, start: int = 0, standing: ownership.Right = ownership.NOBODY) -> list[int]:
    """The offsets that do not count to a reader, from an offset on."""
    log, found = ownership.Log(standing), list(enumerate(logs.told[label]))
    return [at for at, (_, message) in found[start:] if not log.counts(ownership.said(message, at))]


@given(stored())
def test_late_is_what_a_successor_stands_before(logs: Logs) -> None:
    """A word is late exactly if a later tenure stands before it in the same log; a claim if it missed one."""
    for label in LABELS:
        assert read(logs, label) == logs.late(label)


@given(stored())
def test_reading_from_an_owners_claim_gives_the_same_answer(logs: Logs) -> None:
    """Whoever goes on from what an owner stored, with that owner's right, disregards what a reader from 0 does."""
    for label in LABELS:
        for at, (tenure, message) in enumerate(logs.told[label]):
            if type(message).__name__.endswith("OwnershipTaken") and at not in logs.late(label):
                rest = [one for one in logs.late(label) if one > at]
                assert read(logs, label, start=at + 1, standing=logs.tenures[tenure]) == rest


@settings(max_examples=60)
@given(stored(), st.randoms(use_true_random=False))
def test_the_ledger_may_meet_the_logs_in_any_order(logs: Logs, chance: Any) -> None:
    """However apply, drift and live are interleaved, the folds disregard the same words, and take all others."""
    leaves = interleaved(logs, chance)
    places = {leaf.index: (leaf.log, leaf.offset) for leaf in leaves}
    tables = some.Tables().fold(*leaves)
    words = {
        (label, at)
        for label in LABELS
        for at, (_, message) in enumerate(logs.told[label])
        if not type(message).__name__.endswith("OwnershipTaken")
    }
    late = words & {(label, at) for label in LABELS for at in logs.late(label)}
    assert {places[row.leaf] for row in tables.all(rows.Moment) if row.kind == "Late"} == late
    taken = {places[row.started_leaf] for row in tables.all(rows.Sync)}
    taken |= {places[row.leaf] for kind in (rows.DriftObservation, rows.WatchGap) for row in tables.all(kind)}
    assert taken == words - late


def interleaved(logs: Logs, chance: Any) -> Sequence[Leaf]:
    """The leaves of a ledger that met the logs in some order, each in its own."""
    left = {label: list(enumerate(found)) for label, found in logs.told.items()}
    leaves: list[Leaf] = []
    while any(left.values()):
        label = chance.choice([label for label, found in left.items() if found])
        at, (_, message) = left[label].pop(0)
        leaves.append(some.leaf(len(leaves), message, log=label, offset=at))
    return leaves
