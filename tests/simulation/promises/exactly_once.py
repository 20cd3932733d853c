"""Promise 3: each record is sequenced once, each event counts once, and the tree is that of exactly these leaves."""

from collections.abc import Iterator

from decklog.model import merkle, receipt
from tests import trees
from tests.simulation import history

PROMISE = "exactly-once effect"


def check(ledger: history.Ledger) -> list[history.Violation]:
    """Every doubled record or event, every false reference, and a head that is not that of the leaves."""
    return [history.Violation(PROMISE, what) for what in _problems(ledger)]


def _problems(ledger: history.Ledger) -> Iterator[str]:
    receipts = [receipt.parse(leaf.receipt) for leaf in ledger.leaves]
    yield from _tree_problems(ledger)
    yield from _place_problems(receipts)
    yield from _identity_problems(receipts, ledger)
    yield from _time_problems(receipts)


def _tree_problems(ledger: history.Ledger) -> Iterator[str]:
    if ledger.size != len(ledger.leaves):
        yield f"the head says {ledger.size} leaves, there are {len(ledger.leaves)}"
    hashes = [merkle.leaf_hash(leaf.receipt) for leaf in ledger.leaves]
    for index, (leaf, expected) in enumerate(zip(ledger.leaves, hashes, strict=True)):
        if leaf.hash != expected:
            yield f"leaf {index} does not have the hash of its receipt"
    if ledger.root != trees.root_of(hashes):
        yield "the head's root is not the root of the leaves"


def _place_problems(receipts: list[receipt.Receipt]) -> Iterator[str]:
    seen: dict[receipt.Place, int] = {}
    for index, one in enumerate(receipts):
        if one.place is None or one.kind is receipt.Kind.GAP:
            continue
        if one.place in seen:
            yield f"leaf {index} has the coordinates of leaf {seen[one.place]}"
        seen[one.place] = index


def _identity_problems(receipts: list[receipt.Receipt], ledger: history.Ledger) -> Iterator[str]:
    first: dict[tuple[receipt.Text, receipt.Text], int] = {}
    for index, one in enumerate(receipts):
        if one.attributes is None or one.kind is receipt.Kind.POISON:
            continue
        identity = one.attributes.source, one.attributes.id
        if one.kind is receipt.Kind.EVENT:
            if identity in first:
                yield f"leaf {index} is the event of leaf {first[identity]} again"
            first.setdefault(identity, index)
        elif isinstance(one.about, receipt.Original):
            yield from _original_problems(index, one, first.get(identity), ledger)


def _original_problems(index: int, one: receipt.Receipt, original: int | None, ledger: history.Ledger) -> Iterator[str]:
    named = one.about.leaf if isinstance(one.about, receipt.Original) else None
    if original is None or named != original:
        yield f"leaf {index} names leaf {named} as its original, which is {original}"
        return
    mine, theirs = ledger.leaves[index].value, ledger.leaves[original].value
    if one.kind is receipt.Kind.DUPLICATE and mine is not None and mine != theirs:
        yield f"leaf {index} is called a duplicate of leaf {original}, whose bytes differ"
    if one.kind is receipt.Kind.CONFLICT and mine == theirs:
        yield f"leaf {index} is called a conflict with leaf {original}, whose bytes are the same"


def _time_problems(receipts: list[receipt.Receipt]) -> Iterator[str]:
    for index in range(1, len(receipts)):
        if receipts[index].recorded_at < receipts[index - 1].recorded_at:
            yield f"leaf {index} was recorded before leaf {index - 1}"
