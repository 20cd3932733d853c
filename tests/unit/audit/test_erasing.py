"""Lawful erasure, decided: what becomes of a request, and of the holds that forbid it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decklog.events.v1 import control_pb2
from decklog.model import leaf_ranges, receipt
from services.audit.core import erasing, sequencing
from tests import ordered, sequenced
from tests.ordered import CONTROL, order


def request(*ranges, reason="a court order"):
    leaves = [control_pb2.LeafRange(first=first, end=end) for first, end in ranges]
    return control_pb2.ErasureRequested(reason=reason, leaves=leaves)


@pytest.fixture
def ledger():
    """Three events."""
    made = ordered.Ledger()
    made.take(*(sequenced.record(sequenced.event(number), offset=number) for number in range(3)))
    return made


def test_a_request_is_carried_out_behind_itself(ledger):
    """Its event, then the erasure leaf with ranges and reason; payload, salt and digest are gone, receipts are not."""
    before = [entry.receipt for entry in ledger.store.entries]
    batch = ledger.take(order(request((0, 1), (2, 3)), 0))
    assert ledger.kinds() == ["event"] * 4 + ["erasure"]
    said = receipt.parse(ledger.store.entries[4].receipt)
    assert said.about == receipt.Erasure(((0, 1), (2, 3)), "a court order")
    assert (said.place, said.commitment, said.attributes) == (None, None, None)
    assert batch.addition.erasures == [4]
    assert [entry.value is None for entry in ledger.store.entries] == [True, False, True, False, True]
    assert [entry.salt is None for entry in ledger.store.entries[:3]] == [True, False, True]
    assert [sha256 is None for _, sha256 in ledger.store.known.values()] == [True, False, True, False]
    assert [entry.receipt for entry in ledger.store.entries[:3]] == before


def test_the_position_stands_behind_the_request_itself(ledger):
    """The leaf of the record before the next offset is the request's: the erasure came from no record."""
    ledger.take(order(request((0, 1)), 0))
    position = ledger.store.positions[next(where for where in ledger.store.positions if where.topic == CONTROL)]
    assert (position.next_offset, position.last_leaf) == (1, 3)


def test_an_erased_event_that_comes_again_is_a_duplicate(ledger):
    """Whatever its bytes: nothing is left to compare them with."""
    ledger.take(order(request((0, 1)), 0))
    again = sequenced.event(0)
    ledger.take(sequenced.record(again, offset=3), sequenced.record(again._replace(data=b""), offset=4))
    assert ledger.kinds()[-2:] == ["duplicate", "duplicate"]


@pytest.mark.parametrize("control", ["\0", "\n", "\x1b", "\x7f", "\x85"])
def test_a_reason_with_control_characters_is_refused(ledger, control):
    """The ledger keeps it for ever: the request stays an event, nothing is erased, and an operator hears why."""
    batch = ledger.take(order(request((0, 1), reason=f"a{control}b"), 0))
    assert ledger.kinds() == ["event"] * 4
    assert [alert.reason for alert in batch.alerts] == ["its reason has control characters: write it on one line"]
    assert ledger.store.entries[0].value is not None


@pytest.mark.parametrize("together", [False, True], ids=["in two batches", "in one"])
def test_a_legal_hold_forbids_it_until_it_is_released(ledger, together):
    """The request stays an event; nothing is erased, and an operator hears why."""
    placed = order(control_pb2.LegalHoldPlaced(hold="case 7"), 0)
    refused = order(request((0, 1)), 1)
    batch = ledger.take(placed, refused) if together else (ledger.take(placed), ledger.take(refused))[1]
    assert ledger.kinds() == ["event"] * 5
    assert ledger.store.entries[0].value is not None
    assert [(alert.notice, alert.leaf, alert.reason) for alert in batch.alerts] == [
        (sequencing.Notice.REFUSED, 4, "a legal hold stands: case 7")
    ]
    ledger.take(order(control_pb2.LegalHoldReleased(hold="case 7"), 2), order(request((0, 1)), 3))
    assert ledger.kinds()[-1] == "erasure"
    assert ledger.store.entries[0].value is None


def test_a_hold_that_comes_behind_the_request_is_too_late(ledger):
    """In one batch, too: the order of the leaves counts."""
    ledger.take(order(request((0, 1)), 0), order(control_pb2.LegalHoldPlaced(hold="case 7"), 1))
    assert ledger.kinds() == ["event"] * 4 + ["erasure", "event"]
    assert ledger.store.entries[0].value is None
    assert ledger.standing.holds == {"case 7"}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (request(), "0 ranges"),
        (request(*((number * 2, number * 2 + 1) for number in range(2001))), "2001 ranges"),
        (request((2, 2)), "not ascending"),
        (request((1, 2), (0, 1)), "not ascending"),
        (request((0, 1), (1, 2)), "not ascending"),
        (request((0, 5)), "did not exist"),
        (request((0, 1), reason="x" * 1001), "longer than"),
    ],
)
def test_a_request_that_makes_no_sense_is_an_event_and_nothing_more(ledger, wrong, why):
    """Nothing is erased, the ledger goes on."""
    batch = ledger.take(order(wrong, 0))
    assert ledger.kinds() == ["event"] * 4
    assert why in batch.alerts[0].reason


@given(st.sets(st.integers(0, 200)))
def test_leaves_become_ranges_that_cover_exactly_them(leaves):
    """Ascending, apart, and accepted by the ledger."""
    ranges = leaf_ranges.of(leaves)
    assert [leaf for first, end in ranges for leaf in range(first, end)] == sorted(leaves)
    if ranges:
        assert erasing.erasure(request(*ranges), 201, []).ranges == tuple(ranges)
