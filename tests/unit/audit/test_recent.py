"""What was appended last, against reading it back from where it is kept."""

import hypothesis
from hypothesis import strategies

from decklog.model import merkle
from decklog.ports import ledger
from services.audit.core import integration
from services.audit.core.recent import Recent

HEAD = ledger.Head(frontier=merkle.Frontier(), recorded_at=0)


def addition(first, has_payload, erasures=(), size=10):
    """Leaves from `first` on, some of which have a payload."""
    payloads = [(leaf, b"%032d" % leaf, b"value", None) for leaf, has in enumerate(has_payload, first) if has]
    leaves = ledger.Leaves(
        first=first,
        recorded_at=0,
        hashes=[b""] * len(has_payload),
        receipts=[b"%0*d" % (size, leaf) for leaf in range(first, first + len(has_payload))],
        payloads=payloads,
        firsts=[],
    )
    return ledger.Addition(before=HEAD, after=HEAD, leaves=leaves, positions={}, erasures=erasures)


def entries(addition_):
    """As a publisher reads them."""
    return [integration.Entry(entry.number, entry.receipt, entry.salt) for entry in addition_.leaves]


@hypothesis.given(strategies.lists(strategies.lists(strategies.booleans(), max_size=5)), strategies.data())
def test_leaves_are_told_as_they_were_appended(batches, data):
    """Any stretch of them, over the bounds of additions; leaves that were never here are asked of the ledger."""
    recent, appended = Recent(), []
    for batch in batches:
        taken = addition(7 + len(appended), batch)
        recent.take(taken)
        appended += entries(taken)
    first = data.draw(strategies.integers(5, 9 + len(appended)))
    end = data.draw(strategies.integers(first + 1, first + 12))
    here = first >= 7 and end <= 7 + len(appended)
    assert recent.entries(first, end) == (appended[first - 7 : end - 7] if here else None)


def test_leaves_that_do_not_follow_replace_the_others():
    """Another process has appended in between."""
    recent = Recent()
    recent.take(addition(0, [True] * 3))
    recent.take(addition(5, [True] * 3))
    assert recent.entries(0, 3) is None
    assert recent.entries(2, 6) is None
    assert [entry.number for entry in recent.entries(5, 8)] == [5, 6, 7]


def test_an_erasure_takes_all_that_is_remembered():
    """An erased salt is never written to a salt file again."""
    recent = Recent()
    recent.take(addition(0, [True] * 3))
    recent.take(addition(3, [True] * 2, erasures=[3]))
    assert recent.entries(0, 3) is None
    assert recent.entries(3, 5) is None
    recent.take(addition(5, [True]))
    assert recent.entries(5, 6) == entries(addition(5, [True]))


def test_what_is_remembered_is_bounded_in_bytes():
    """However large the leaves: the oldest go."""
    recent = Recent(max_bytes=1000)
    for number in range(100):
        recent.take(addition(number, [True], size=300))
    assert recent.entries(95, 100) is None
    assert len(recent.entries(97, 100)) == 3
