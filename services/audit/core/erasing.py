"""Lawful erasure, decided: which payloads a request takes, and whether a legal hold forbids it.

A request names leaves. The leader carries it out in the transaction that sequences it: payloads, salts and digests go,
and an `erasure` leaf behind the request says which. Leaves are never changed, so every proof goes on to hold.
"""

import itertools
import re
from collections.abc import Collection, Iterable

from decklog.events.v1 import control_pb2
from decklog.model import leaf_ranges, receipt
from decklog.ports import ledger
from services.audit.core import orders

Hold = control_pb2.LegalHoldPlaced | control_pb2.LegalHoldReleased

MAX_REASON = 1_000
"""Characters."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def erasure(request: control_pb2.ErasureRequested, leaf: int, holds: Collection[str]) -> receipt.Erasure:
    """What the erasure leaf behind a request says, whose own leaf is `leaf`. Raises orders.Refused."""
    if holds:
        raise orders.Refused(f"a legal hold stands: {', '.join(sorted(holds))}")
    if len(request.reason) > MAX_REASON:
        raise orders.Refused(f"its reason is longer than {MAX_REASON} characters")
    if _CONTROL.search(request.reason):
        raise orders.Refused("its reason has control characters: write it on one line")
    ranges = tuple((one.first, one.end) for one in request.leaves)
    if not ranges or len(ranges) > leaf_ranges.MOST:
        raise orders.Refused(f"it names {len(ranges)} ranges of leaves; from 1 to {leaf_ranges.MOST} are possible")
    touching = any(one[1] >= other[0] for one, other in itertools.pairwise(ranges))
    if touching or any(first >= end for first, end in ranges):
        raise orders.Refused("its ranges of leaves are not ascending and apart")
    if ranges[-1][1] > leaf:
        raise orders.Refused("it names leaves that did not exist when it was made")
    return receipt.Erasure(ranges, request.reason)


def hold_change(order: Hold, leaf: int) -> ledger.HoldChange:
    """What an event, whose own leaf is `leaf`, does to the legal holds."""
    return leaf, order.hold, isinstance(order, control_pb2.LegalHoldPlaced)


def holds_after(standing: Iterable[str], changes: Iterable[ledger.HoldChange]) -> frozenset[str]:
    """The legal holds that stand after some were placed or released."""
    after = set(standing)
    for _, hold, placed in changes:
        (after.add if placed else after.discard)(hold)
    return frozenset(after)
