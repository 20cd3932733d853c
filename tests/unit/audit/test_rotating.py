"""The change of the log's key, decided: what the API asks for, and what the ledger makes of it."""

import pytest

from decklog.events.v1 import control_pb2
from decklog.model import receipt
from decklog.model.tlog import keys, rotation
from decklog.model.tlog.rotation import Rotation
from services.audit.core import orders, rotating, sequencing
from services.audit.core.rotating import Step
from tests import ordered, sequenced
from tests.ordered import order

A, B, C = (str(keys.from_pem(keys.new_pem(seed * 32), "log.example/i").verifier) for seed in (b"a", b"b", b"c"))
ELSEWHERE = str(keys.from_pem(keys.new_pem(b"b" * 32), "log.example/j").verifier)
NEVER = rotation.Rotations()
OVERLAP = rotation.of([Rotation(10, B, A)])
DONE = rotation.of([Rotation(10, B, A), Rotation(20, B)])


def asked(step, held, rotations, served=(0, ())):
    found = rotating.request(step, held, rotations, served)
    return found.vkey, found.beside, found.retired


@pytest.mark.parametrize(
    ("step", "held", "rotations", "served", "expected"),
    [
        (Step.BEGIN, [A, B], NEVER, (0, ()), (B, A, "")),
        (Step.BEGIN, [B, C], DONE, (0, ()), (C, B, "")),
        (Step.BEGIN, [C, B], DONE, (0, ()), (C, B, "")),
        (Step.FINISH, [A, B], OVERLAP, (11, (A, B)), (B, "", A)),
        (Step.FINISH, [B], OVERLAP, (11, (B,)), (B, "", A)),
        (Step.ABORT, [A], OVERLAP, (10, (A,)), (A, "", B)),
    ],
)
def test_what_is_asked_for(step, held, rotations, served, expected):
    """Begin with the key that does not sign, end with either; the old one may be lost; in any order of settings."""
    assert asked(step, held, rotations, served) == expected


@pytest.mark.parametrize(
    ("step", "held", "rotations", "served", "told"),
    [
        (Step.BEGIN, [A], NEVER, (0, ()), "DECKLOG_LOG_NEXT_KEY_FILE"),
        (Step.BEGIN, [A, B], OVERLAP, (0, ()), "running since leaf 10"),
        (Step.BEGIN, [B, A], DONE, (0, ()), "has signed before"),
        (Step.BEGIN, [A, C], DONE, (0, ()), "DECKLOG_LOG_NEXT_KEY_FILE"),
        (Step.FINISH, [A, B], NEVER, (0, ()), "no overlap"),
        (Step.ABORT, [A, B], DONE, (0, ()), "no overlap"),
        (Step.FINISH, [A, B], OVERLAP, (10, (A, B)), "no checkpoint is served yet"),
        (Step.FINISH, [A, B], OVERLAP, (11, (A,)), "both keys signed"),
        (Step.FINISH, [A, B], OVERLAP, (11, (B,)), "both keys signed"),
        (Step.FINISH, [A], OVERLAP, (11, (A,)), "both keys signed"),
        (Step.ABORT, [B], OVERLAP, (11, (B,)), "DECKLOG_LOG_KEY_FILE"),
    ],
)
def test_what_is_not_its_turn_is_refused_with_what_to_do_first(step, held, rotations, served, told):
    """No new key, one that was retired, an overlap that runs or does not, a checkpoint that only one key signed."""
    with pytest.raises(orders.Refused, match=told):
        asked(step, held, rotations, served)


def rotate(vkey, beside="", retired="", reason="yearly"):
    return control_pb2.KeyRotationRequested(vkey=vkey, beside=beside, retired=retired, reason=reason)


@pytest.fixture
def ledger():
    """Two events."""
    made = ordered.Ledger()
    made.take(*(sequenced.record(sequenced.event(number), offset=number) for number in range(2)))
    return made


def test_a_rotation_is_a_leaf_behind_its_request(ledger):
    """Its receipt alone names the keys: an auditor has no payloads. The ledger remembers it."""
    batch = ledger.take(order(rotate(B, A), 0))
    assert ledger.kinds() == ["event"] * 3 + ["rotation"]
    said = receipt.parse(ledger.store.entries[3].receipt)
    assert (said.about, said.commitment, said.place) == (receipt.Rotation(B, A), None, None)
    assert batch.addition.rotations == [Rotation(3, B, A)]
    ledger.take(order(rotate(B, retired=A), 1))
    assert receipt.parse(ledger.store.entries[5].receipt).about == receipt.Rotation(B)
    assert ledger.store.rotations == ledger.standing.rotations == rotation.of([Rotation(3, B, A), Rotation(5, B)])


@pytest.mark.parametrize(
    "asked",
    [rotate(B), rotate("nonsense", A), rotate(ELSEWHERE, A), rotate(A, A), rotate(B, A, reason="x" * 1001)],
    ids=["an end", "no key", "another log's", "the same", "too long"],
)
def test_what_makes_no_sense_is_recorded_and_not_carried_out(ledger, asked):
    """An event that nothing follows from, and an alert."""
    batch = ledger.take(order(asked, 0))
    assert ledger.kinds() == ["event"] * 3
    assert [alert.notice for alert in batch.alerts] == [sequencing.Notice.REFUSED]
    assert ledger.store.rotations == NEVER


def test_orders_of_one_batch_are_obeyed_one_after_the_other(ledger):
    """Begun and finished in one transaction; a second beginning between them is refused."""
    batch = ledger.take(order(rotate(B, A), 0), order(rotate(C, A), 1), order(rotate(B, retired=A), 2))
    assert ledger.kinds()[2:] == ["event", "rotation", "event", "event", "rotation"]
    assert batch.addition.rotations == [Rotation(3, B, A), Rotation(6, B)]
    assert "is running" in batch.alerts[0].reason
