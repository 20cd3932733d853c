"""Who may speak: per partition of each topic of reconcile's, the right that stands there."""

from collections.abc import Iterable, Iterator

from decklog.model import ownership as rule
from services.audit.core import ownership, rows
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.view import AnyNeed, Need, View


def needs(leaf: Leaf) -> Iterable[AnyNeed]:
    """The partition's row, for whatever is said under a right; whether it counts depends on it."""
    return [] if ownership.said(leaf) is None else [Need(rows.Ownership, (leaf.log,))]


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:
    """The greatest right stands."""
    word = ownership.said(leaf)
    if word is not None and word.right > ownership.standing(view, leaf):
        yield rows.Ownership(
            log=leaf.log,
            topic_epoch=word.right.topic_epoch,
            claim_offset=word.right.offset,
            leaf=leaf.index,
            time_us=leaf.time_us,
        )


PROJECTION = Projection("ownership", needs, fold, rule.UNDER_RIGHT)
