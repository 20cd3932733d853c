"""The rule about late words gives one answer, whoever reads, from where on, and in whatever order the logs are met."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from decklog.events.v1 import apply_pb2, drift_pb2, live_pb2, subject_pb2
from decklog.model import ownership
from services.audit.core import rows
from services.audit.core.leaf import LATE, Leaf
from tests import audit_leaves as some

LABELS = ("apply", "drift", "live")
MEMBERS = 3

Said = tuple[str, int]
"""A topic, and the member that speaks there."""

Logs = dict[str, list[tuple[int, ownership.Right, object]]]
"""By topic, what was stored in order: the member, its right, the message."""


def word(label: str, right: ownership.Right, number: int) -> object:
    """Something that a member says under its right."""
    fence = subject_pb2.Fence(topic_epoch=right.topic_epoch, offset=right.offset)
    if label == "apply":
        return apply_pb2.SyncStarted(application=some.application(), sync_id=f"s{number}", fence=fence)
    if label == "drift":
        return drift_pb2.DriftObserved(
            application=some.application(), object=some.config_map(), episode=f"e{number}", verdict=3, phase=1,
            fence=fence,
        )  # fmt: skip
    return live_pb2.WatchGap(cluster="dev", reason=f"r{number}", fence=fence)


@st.composite
def stored(draw: st.DrawFn) -> Logs:
    """Members take the partition over one after another; whatever each says may be stored at any later time."""
    logs: Logs = {label: [] for label in LABELS}
    pending: list[tuple[int, ownership.Right, str]] = []
    rights: list[ownership.Right] = []
    number = 0
    for member in range(draw(st.integers(1, MEMBERS))):
        right = ownership.Right(0, len(logs["apply"]))
        rights.append(right)
        logs["apply"].append((member, right, apply_pb2.OwnershipTaken(member=str(member))))
        fence = subject_pb2.Fence(offset=right.offset)
        pending_before = list(pending)
        pending = [one for one in pending_before if not draw(st.booleans())]
        for owner, its, label in (one for one in pending_before if one not in pending):
            number += 1
            logs[label].append((owner, its, word(label, its, number)))
        logs["drift"].append((member, right, drift_pb2.DriftOwnershipTaken(member=str(member), fence=fence)))
        logs["live"].append((member, right, live_pb2.LiveOwnershipTaken(member=str(member), fence=fence)))
        for label, who in draw(st.lists(st.tuples(st.sampled_from(LABELS), st.integers(0, member)), max_size=8)):
            number += 1
            if draw(st.booleans()):
                logs[label].append((who, rights[who], word(label, rights[who], number)))
            else:
                pending.append((who, rights[who], label))
    return logs


def late_of(logs: Logs, label: str, *, start: int = 0, standing: ownership.Right = ownership.NOBODY) -> list[int]:
    """The offsets whose words do not count, read from an offset on."""
    log = ownership.Log(standing)
    found = enumerate(logs[label])
    return [
        offset
        for offset, (_, _, message) in found
        if offset >= start and not log.counts(ownership.right_of(message, offset))  # type: ignore[arg-type]
    ]


@given(stored())
def test_late_is_what_a_successor_had_claimed_before(logs: Logs) -> None:
    """A word is late exactly if somebody who took the partition over later stands before it in the same log."""
    for label in LABELS:
        stored_by = [member for member, _, _ in logs[label]]
        expected = [
            offset for offset, member in enumerate(stored_by) if any(one > member for one in stored_by[:offset])
        ]
        assert late_of(logs, label) == expected


@given(stored())
def test_reading_from_an_owners_claim_gives_the_same_answer(logs: Logs) -> None:
    """Whoever goes on from what an owner stored, with that owner's right, disregards what a reader from 0 does."""
    for label in LABELS:
        for offset, (_, right, message) in enumerate(logs[label]):
            if type(message).__name__.endswith("OwnershipTaken"):
                rest = [one for one in late_of(logs, label) if one > offset]
                assert late_of(logs, label, start=offset + 1, standing=right) == rest


@given(stored(), st.randoms(use_true_random=False))
def test_the_ledger_may_meet_the_logs_in_any_order(logs: Logs, chance: object) -> None:
    """However apply, drift and live are interleaved, the folds disregard the same words, and take all others."""
    expected = {(label, offset) for label in LABELS for offset in late_of(logs, label)}
    leaves = interleaved(logs, chance)
    tables = some.Tables().fold(*leaves)
    places = {leaf.index: (leaf.log.split(".")[1], leaf.offset) for leaf in leaves}
    shown = {places[row.leaf] for row in tables.all(rows.Moment) if row.kind == LATE.capitalize()}
    assert shown == expected
    for kind in (rows.Sync, rows.DriftObservation, rows.WatchGap):
        taken = {places[getattr(row, "started_leaf", None) or row.leaf] for row in tables.all(kind)}
        label = {rows.Sync: "apply", rows.DriftObservation: "drift", rows.WatchGap: "live"}[kind]
        words = {
            (label, offset)
            for offset, (_, _, message) in enumerate(logs[label])
            if not type(message).__name__.endswith("OwnershipTaken")
        }
        assert taken == words - expected


def interleaved(logs: Logs, chance: object) -> Sequence[Leaf]:
    """The leaves of a ledger that met the logs in some order, each in its own."""
    left = {label: list(enumerate(found)) for label, found in logs.items()}
    leaves: list[Leaf] = []
    while any(left.values()):
        label = chance.choice([label for label, found in left.items() if found])  # type: ignore[attr-defined]
        offset, (_, _, message) = left[label].pop(0)
        leaves.append(some.leaf(len(leaves), message, log=f"decklog.{label}.v1/0", offset=offset))  # type: ignore[arg-type]
    return leaves
