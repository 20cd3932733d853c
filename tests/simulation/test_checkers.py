"""Each checker of the simulation can fail: a hand-made history that breaks the promise is called a violation, and the
same history without the break is not. A simulation that nothing can turn red would prove nothing.
"""

import base64
import uuid
from dataclasses import replace

import pytest

from decklog.events.v1 import apply_pb2, control_pb2, drift_pb2, subject_pb2
from decklog.model import envelope, merkle, objects, receipt, record_headers
from decklog.ports import stream
from services.audit.core import rows
from tests import trees
from tests.simulation import history
from tests.simulation.promises import (
    cause_before_effect,
    exactly_once,
    late_words,
    nothing_lost,
    nothing_unmasked,
    record_before_act,
    replay_equals_live,
    unknown_is_not_in_sync,
)

KEY = objects.ObjectKey("", "ConfigMap", "shop", "web")
APP = subject_pb2.ApplicationRef(cluster="dev", application="shop")
REF = subject_pb2.ObjectRef(kind="ConfigMap", namespace="shop", name="web")
BECAUSE = subject_pb2.Failure(reason="Unavailable")
TOPIC, BIN = "decklog.apply.v1", "decklog.dead-letter.v1"

STARTED = apply_pb2.SyncStarted(application=APP, sync_id="1", trigger=apply_pb2.SYNC_TRIGGER_REVISION)
HEAL_STARTED = apply_pb2.SyncStarted(application=APP, sync_id="2", trigger=apply_pb2.SYNC_TRIGGER_DRIFT)
FINISHED = apply_pb2.SyncFinished(application=APP, sync_id="1", outcome=apply_pb2.SYNC_OUTCOME_SUCCEEDED)
DRIFTED = drift_pb2.DriftObserved(
    application=APP, object=REF, verdict=drift_pb2.VERDICT_MISSING, phase=drift_pb2.DRIFT_PHASE_OPENED
)
RESOLVED = drift_pb2.DriftObserved(
    application=APP,
    object=REF,
    verdict=drift_pb2.VERDICT_IN_SYNC,
    phase=drift_pb2.DRIFT_PHASE_RESOLVED,
    desired_digest="j1:ab",
)
UNKNOWN = drift_pb2.DriftObserved(
    application=APP,
    object=REF,
    verdict=drift_pb2.VERDICT_UNKNOWN,
    phase=drift_pb2.DRIFT_PHASE_OPENED,
    failure=BECAUSE,
)


def record(offset: int, value: bytes = b"", topic: str = TOPIC) -> stream.Record:
    return stream.Record(topic, 0, offset, 0, b"dev/shop", value, record_headers.NONE)


def said(message: object, *, acknowledged: bool = True, by: str = "r1") -> history.Stored:
    return history.Stored(
        at_us=0,
        by=by,
        epoch=0,
        record=record(0),
        acknowledged=acknowledged,
        message=message,  # type: ignore[arg-type]
    )


def called(call: str, *, error: str = "", by: str = "r1") -> history.Called:
    return history.Called(at_us=0, by=by, call=call, key=KEY, application="dev/shop", error=error)


@pytest.mark.parametrize(
    ("entries", "broken"),
    [
        ([said(STARTED), called("apply"), said(FINISHED)], False),
        ([called("apply"), said(STARTED)], True),
        ([said(STARTED, acknowledged=False), called("apply")], True),
        ([said(STARTED), said(FINISHED), called("delete")], True),
        ([said(STARTED, by="r2"), called("apply")], True),
        ([said(DRIFTED), said(HEAL_STARTED), called("apply")], False),
        ([said(HEAL_STARTED), called("apply")], True),
        ([said(DRIFTED, acknowledged=False), said(HEAL_STARTED), called("apply")], True),
        ([said(DRIFTED), said(RESOLVED), said(HEAL_STARTED), called("apply")], True),
        ([called("dry-run")], False),
    ],
)
def test_a_write_without_its_record_is_seen(entries: list[history.Entry], broken: bool) -> None:
    """Promise 1: no open acknowledged sync by this instance, or no open acknowledged drift for a heal."""
    assert bool(record_before_act.check(tuple(entries))) is broken


def with_id(event_id: str, message: object) -> history.Stored:
    entry = said(message)
    block = record_headers.encode([("ce_id", event_id.encode())])
    return replace(entry, record=entry.record._replace(header_block=block))


def led_to_by(cause: str) -> history.Stored:
    return with_id("s1", apply_pb2.SyncStarted(application=APP, trigger=apply_pb2.SYNC_TRIGGER_REVISION, cause=cause))


AVAILABLE = control_pb2.RevisionAvailable(application=APP)
OTHER = control_pb2.RevisionAvailable(application=subject_pb2.ApplicationRef(cluster="dev", application="blog"))


@pytest.mark.parametrize(
    ("entries", "broken"),
    [
        ([with_id("r1", AVAILABLE), led_to_by("r1")], False),
        ([with_id("r1", AVAILABLE), led_to_by("")], True),
        ([led_to_by("r1"), with_id("r1", AVAILABLE)], True),
        ([with_id("d1", DRIFTED), led_to_by("d1")], True),
        ([with_id("r1", OTHER), led_to_by("r1")], True),
    ],
)
def test_a_sync_without_its_cause_is_seen(entries: list[history.Entry], broken: bool) -> None:
    """Promise 1: no cause, one that comes later, one that leads to no such sync, one of another application."""
    assert bool(cause_before_effect.check(tuple(entries))) is broken


@pytest.mark.parametrize(
    ("entries", "broken"),
    [
        ([called("dry-run"), said(RESOLVED)], False),
        ([called("dry-run", error="Unavailable"), said(RESOLVED)], True),
        ([called("dry-run", error="Unavailable"), called("dry-run"), said(RESOLVED)], False),
        ([called("dry-run", by="r2"), said(RESOLVED)], True),
        ([said(UNKNOWN)], False),
        ([said(drift_pb2.DriftObserved(object=REF, verdict=drift_pb2.VERDICT_UNKNOWN))], True),
        ([said(drift_pb2.DriftObserved(object=REF, verdict=drift_pb2.VERDICT_MODIFIED, patch=b"[]"))], True),
        ([said(drift_pb2.DriftObserved(object=REF, verdict=drift_pb2.VERDICT_IN_SYNC))], True),
        ([said(apply_pb2.SyncFinished(outcome=apply_pb2.SYNC_OUTCOME_SUCCEEDED, failed=1))], True),
    ],
)
def test_a_claim_without_a_look_is_seen(entries: list[history.Entry], broken: bool) -> None:
    """Promise 2: in sync after a failed look, or a verdict without its reason or patch."""
    assert bool(unknown_is_not_in_sync.check(tuple(entries))) is broken


def leaf(
    kind: receipt.Kind, offset: int, value: bytes, *, about: receipt.About | None = None, at: int = 0
) -> history.Leaf:
    salt = receipt.salt(bytes(receipt.DRAWN_BYTES), None)
    attributes = receipt.Attributes(id="e1", source="/s", type="t", time="1970-01-01T00:00:00Z", subject="s")
    data = receipt.encode(
        receipt.Receipt(
            kind=kind,
            recorded_at=at,
            attributes=None if kind is receipt.Kind.GAP else attributes,
            commitment=receipt.commitment(salt, value),
            length=len(value),
            place=receipt.Place("memory", TOPIC, 0, 0, offset),
            about=about,
        )
    )
    return history.Leaf(data, merkle.leaf_hash(data), value, salt)


def ledger(*leaves: history.Leaf) -> history.Ledger:
    return history.Ledger(size=len(leaves), root=trees.root_of(one.hash for one in leaves), leaves=leaves)


FIRST = leaf(receipt.Kind.EVENT, 0, b"one")
AGAIN = leaf(receipt.Kind.DUPLICATE, 1, b"one", about=receipt.Original(0))
OTHER = leaf(receipt.Kind.CONFLICT, 1, b"two", about=receipt.Original(0))


@pytest.mark.parametrize(
    ("outcome", "broken"),
    [
        (ledger(FIRST, AGAIN), False),
        (ledger(FIRST, OTHER), False),
        (ledger(FIRST, FIRST), True),
        (ledger(FIRST, leaf(receipt.Kind.EVENT, 1, b"one")), True),
        (ledger(FIRST, leaf(receipt.Kind.DUPLICATE, 1, b"one", about=receipt.Original(1))), True),
        (ledger(FIRST, leaf(receipt.Kind.DUPLICATE, 1, b"two", about=receipt.Original(0))), True),
        (ledger(FIRST, leaf(receipt.Kind.CONFLICT, 1, b"one", about=receipt.Original(0))), True),
        (ledger(replace(FIRST, hash=bytes(32))), True),
        (replace(ledger(FIRST), root=bytes(32)), True),
        (replace(ledger(FIRST), size=2), True),
        (ledger(leaf(receipt.Kind.EVENT, 0, b"one", at=5), AGAIN), True),
    ],
)
def test_a_doubled_or_false_leaf_is_seen(outcome: history.Ledger, broken: bool) -> None:
    """Promise 3: coordinates twice, an event twice, a false original, a head that is not the leaves'."""
    assert bool(exactly_once.check(outcome)) is broken


def stored(offset: int, value: bytes, topic: str = TOPIC, header: bytes | None = None) -> history.Stored:
    read = record(offset, value, topic)
    if header is not None:
        read = read._replace(header_block=record_headers.encode([("x", header)]))
    return history.Stored(at_us=0, by="r1", epoch=0, record=read)


def gap(first: int, end: int) -> history.Leaf:
    return leaf(receipt.Kind.GAP, first, b"", about=receipt.Gap(first, end, "retention"))


def sequenced(first: int, *leaves: history.Leaf) -> history.Sequenced:
    return history.Sequenced(at_us=0, by="a1", first=first, receipts=tuple(one.receipt for one in leaves))


WHERE = stream.TopicPartition(TOPIC, 0)
RETAINED = history.Retained(where=WHERE, epoch=0, first=1)
POISON = leaf(receipt.Kind.POISON, 0, b"bad", about=receipt.Poison("no header"))


@pytest.mark.parametrize(
    ("entries", "outcome", "broken"),
    [
        ([stored(0, b"one")], ledger(FIRST), False),
        ([stored(0, b"one"), stored(1, b"two")], ledger(FIRST), True),
        ([], ledger(FIRST), True),
        ([stored(0, b"other")], ledger(FIRST), True),
        ([stored(0, b"one"), RETAINED, sequenced(0, gap(0, 1))], ledger(gap(0, 1)), False),
        ([stored(0, b"one"), sequenced(0, gap(0, 1)), RETAINED], ledger(gap(0, 1)), True),
        ([history.Skipped(where=WHERE, epoch=0, first=0, count=1), sequenced(0, gap(0, 1))], ledger(gap(0, 1)), False),
        ([stored(0, b"bad")], ledger(POISON), True),
        ([stored(0, b"bad"), stored(0, b"bad", BIN)], ledger(POISON), False),
        ([stored(0, b"one")], ledger(replace(FIRST, headers=b"more")), True),
        ([stored(0, b"bad", header=b"y"), stored(0, b"bad", BIN)], ledger(POISON), True),
    ],
)
def test_a_lost_or_invented_record_is_seen(entries: list[history.Entry], outcome: history.Ledger, broken: bool) -> None:
    """Promise 4: a record without a leaf, a leaf without a record, a gap over what could be read, a poison not kept,
    or not with its headers, headers that the leaf does not commit to.
    """
    found = nothing_lost.check(tuple(entries), outcome, sequenced=frozenset({TOPIC}), dead_letters=BIN)
    assert bool(found) is broken


def test_a_row_that_replay_does_not_give_is_seen() -> None:
    """Promise 5: a differing row, a missing one, one too many."""
    live = {"commit": {("a",): 1}}
    assert replay_equals_live.check(live, {"commit": {("a",): 1}}) == []
    assert replay_equals_live.check(live, {"commit": {("a",): 2}})
    assert replay_equals_live.check(live, {"commit": {}})
    assert replay_equals_live.check(live, {**live, "drift": {("d",): 1}})


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_a_secret_is_seen_in_any_form(shift: int) -> None:
    """Promise 6: raw, and in base64 at every alignment, in records and in any other text."""
    secret = b"hunter2-is-not-a-password"
    encoded = base64.b64encode(b"x" * shift + secret + b"tail")
    assert nothing_unmasked.check((stored(0, b"harmless"),), secrets=[secret], texts=[("log", b"masked")]) == []
    assert nothing_unmasked.check((stored(0, b"a " + secret),), secrets=[secret], texts=[])
    assert nothing_unmasked.check((stored(0, encoded),), secrets=[secret], texts=[])
    assert nothing_unmasked.check((), secrets=[secret], texts=[("log", encoded)])


def owned(
    offset: int, message: object, *, topic: str = TOPIC, by: str = "r1", sequence: int | None = None
) -> history.Stored:
    event = envelope.Event(
        id=str(uuid.UUID(int=offset)),
        source="/s",
        type="dev.t",
        subject="s",
        time_us=0,
        data=b"",
        sequence=sequence,
    )
    said = stream.Record(topic, 0, offset, 0, b"dev/shop", b"", record_headers.encode(envelope.to_headers(event)))
    return history.Stored(at_us=0, by=by, epoch=0, record=said, message=message)  # type: ignore[arg-type]


def claim(offset: int, after: int, by: str) -> history.Stored:
    return owned(offset, apply_pb2.OwnershipTaken(member=by, after=subject_pb2.Fence(offset=after)), by=by)


def start(offset: int, right: int, sequence: int, by: str, *, sync: str = "1") -> history.Stored:
    message = apply_pb2.SyncStarted(application=APP, sync_id=sync, fence=subject_pb2.Fence(offset=right))
    return owned(offset, message, by=by, sequence=sequence)


def end(offset: int, right: int, sequence: int, by: str, *, sync: str = "1") -> history.Stored:
    message = apply_pb2.SyncFinished(application=APP, sync_id=sync, fence=subject_pb2.Fence(offset=right))
    return owned(offset, message, by=by, sequence=sequence)


FIRST_OWNER, SECOND_OWNER = claim(0, -1, "r1"), claim(1, 0, "r2")


def moment(leaf: int, kind: str) -> rows.Moment:
    return rows.Moment(leaf=leaf, recorded_us=0, time_us=0, kind=kind, level="info", summary="")


def taken(leaf: int) -> rows.Speaker:
    return rows.Speaker(service="s", events=1, last_leaf=leaf, last_us=0)


@pytest.mark.parametrize(
    ("entries", "told", "broken"),
    [
        ([FIRST_OWNER, SECOND_OWNER, start(2, 0, 1, "r1")], [moment(2, "Late"), taken(1)], False),
        ([FIRST_OWNER, SECOND_OWNER, start(2, 0, 1, "r1")], [], True),
        ([FIRST_OWNER, SECOND_OWNER, start(2, 0, 1, "r1")], [moment(2, "Late"), taken(2)], True),
        ([FIRST_OWNER, start(1, 0, 1, "r1")], [moment(1, "Late")], True),
        ([FIRST_OWNER, start(1, 0, 1, "r1"), claim(2, 0, "r2"), end(3, 2, 2, "r2")], [taken(3)], False),
        ([FIRST_OWNER, SECOND_OWNER, start(2, 0, 1, "r1"), end(3, 1, 1, "r2")], [moment(2, "Late")], True),
        ([FIRST_OWNER, SECOND_OWNER, start(2, 0, 1, "r1"), start(3, 1, 2, "r2")], [moment(2, "Late")], True),
        ([FIRST_OWNER, start(1, 0, 1, "r1"), start(2, 0, 1, "r1", sync="2")], [], True),
        ([FIRST_OWNER, SECOND_OWNER, claim(2, 0, "r1"), start(3, 1, 1, "r2")], [], False),
    ],
)
def test_an_effect_of_a_replaced_member_is_seen(
    entries: list[history.Entry], told: list[rows.Moment | rows.Speaker], broken: bool
) -> None:
    """Promise 3: a row made of a late word, one that is not shown, a sync ended that never began, a number left out."""
    leaves = [leaf(receipt.Kind.EVENT, offset, b"") for offset in range(len(entries))]
    tables = {"timeline": {}, "speaker": {}}  # type: ignore[var-annotated]
    for row in told:
        tables[row.TABLE][row.key] = row
    assert bool(late_words.check(tuple(entries), ledger(*leaves), tables)) is broken
