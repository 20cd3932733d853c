"""What was appended last, against reading it back from where it is kept."""

import hypothesis
from hypothesis import strategies

from decklog.model import merkle
from decklog.ports import ledger
from services.audit.core import integration
from services.audit.core.recent import Recent

EMPTY = ledger.Head(frontier=merkle.Frontier(), recorded_at=0)


def addition(before, has_payload, erasures=(), size=10, mark=b""):
    """Leaves behind a head, some of which have a payload; `mark` makes them others than those of the same numbers."""
    first = before.size
    receipts = [mark + b"%0*d" % (size, leaf) for leaf in range(first, first + len(has_payload))]
    leaves = ledger.Leaves(
        first=first,
        recorded_at=0,
        hashes=merkle.leaf_hashes(receipts),
        receipts=receipts,
        payloads=[(leaf, b"%032d" % leaf, b"value", None) for leaf, has in enumerate(has_payload, first) if has],
        firsts=[],
    )
    after = ledger.Head(frontier=before.frontier.extend(leaves.hashes), recorded_at=0)
    return ledger.Addition(before=before, after=after, leaves=leaves, positions={}, erasures=erasures)


def additions(recent, *batches):
    """Taken one behind the other; the last head."""
    head = EMPTY
    for batch in batches:
        taken = addition(head, **batch)
        recent.take(taken)
        head = taken.after
    return head


def told(recent, first, end, head):
    """The numbers of the leaves that are told, None if they are to be read from the ledger."""
    entries = recent.entries(first, end, size=head.size, root=head.frontier.root())
    return None if entries is None else [entry.number for entry in entries]


@hypothesis.given(
    strategies.lists(strategies.lists(strategies.booleans(), min_size=1, max_size=5), min_size=1), strategies.data()
)
def test_leaves_are_told_as_they_were_appended(batches, data):
    """Any stretch of them, over the bounds of additions, to who knows the root of any tree that ended with one."""
    recent, appended, heads = Recent(), [], [EMPTY]
    for batch in batches:
        taken = addition(heads[-1], batch)
        recent.take(taken)
        appended += [integration.Entry(entry.number, entry.receipt, entry.salt) for entry in taken.leaves]
        heads.append(taken.after)
    head = data.draw(strategies.sampled_from(heads[1:]))
    first = data.draw(strategies.integers(0, head.size - 1))
    end = data.draw(strategies.integers(first + 1, head.size + 2))
    found = recent.entries(first, end, size=head.size, root=head.frontier.root())
    assert found == (appended[first:end] if end <= head.size else None)


def test_only_who_knows_the_root_is_told():
    """Where somebody else has appended, the ledger's root is another, at this size or at another one."""
    recent = Recent()
    head = additions(recent, {"has_payload": [True] * 3}, {"has_payload": [True] * 3})
    others = addition(EMPTY, [True] * 6, mark=b"x").after
    longer = addition(head, [True], erasures=[6]).after
    assert told(recent, 0, 3, head) == [0, 1, 2]
    assert told(recent, 0, 3, others) is None
    assert told(recent, 0, 3, longer) is None


def test_leaves_that_do_not_follow_replace_the_others():
    """Another process has appended in between."""
    recent = Recent()
    head = additions(recent, {"has_payload": [True] * 3})
    theirs = addition(head, [True] * 2).after
    ours = addition(theirs, [True] * 3)
    recent.take(ours)
    assert told(recent, 0, 3, head) is None
    assert told(recent, 3, 6, ours.after) is None
    assert told(recent, 5, 8, ours.after) == [5, 6, 7]


def test_an_erasure_takes_all_that_is_remembered():
    """An erased salt is never written to a salt file again."""
    recent = Recent()
    head = additions(recent, {"has_payload": [True] * 3}, {"has_payload": [True] * 2, "erasures": [3]})
    assert told(recent, 0, 3, head) is None
    assert told(recent, 3, 5, head) is None
    after = addition(head, [True])
    recent.take(after)
    assert told(recent, 5, 6, after.after) == [5]
    assert told(recent, 4, 6, after.after) is None


def test_what_is_remembered_is_bounded_in_bytes():
    """However large the leaves: the oldest go."""
    recent = Recent(max_bytes=1000)
    head = additions(recent, *[{"has_payload": [True], "size": 300}] * 100)
    assert told(recent, 95, 100, head) is None
    assert told(recent, 97, 100, head) == [97, 98, 99]
