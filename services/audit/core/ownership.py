"""Which words of reconcile count: the rule of `decklog.model.ownership`, followed along the ledger.

The ledger keeps the order of each partition of each topic, so the right that stands in one of them is a row, and an
event that comes under a smaller one is a leaf like every other, shown in the timeline, and taken by no fold.
"""

from dataclasses import replace

from decklog.model import ownership
from services.audit.core import rows
from services.audit.core.leaf import LATE, Leaf
from services.audit.core.view import View


def said(leaf: Leaf) -> ownership.Said | None:
    """The right under which the leaf's event was said, if there is one."""
    return None if leaf.message is None else ownership.said(leaf.message, leaf.offset)


def standing(view: View, leaf: Leaf) -> ownership.Right:
    """The greatest right before this leaf in the partition that it came by."""
    row = view.get(rows.Ownership, leaf.log)
    return ownership.NOBODY if row is None else ownership.Right(row.topic_epoch, row.claim_offset)


def heard(view: View, leaf: Leaf) -> Leaf:
    """The leaf as the folds may take it: one that was said too late is `LATE` and says nothing to them."""
    word = said(leaf)
    if word is None or not ownership.is_late(word, standing(view, leaf)):
        return leaf
    return replace(leaf, kind=LATE, message=None, disregarded=leaf.message)
