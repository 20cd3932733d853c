"""Legal holds, as the leaves of a log place and release them: while one stands nothing is erased."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from google.protobuf.message import DecodeError

from decklog.events.v1 import control_pb2
from decklog.model import events, receipt

_KINDS: Mapping[receipt.Text, type[control_pb2.LegalHoldPlaced | control_pb2.LegalHoldReleased]] = {
    events.kind_of(kind()).ce_type: kind for kind in (control_pb2.LegalHoldPlaced, control_pb2.LegalHoldReleased)
}
MARK = f'"type":"{events.TYPE_PREFIX}LegalHold'.encode()
"""In the canonical receipt of every such event, and of few others."""


class Order(NamedTuple):
    """That a legal hold was placed, or released; `hold` is None where nothing says any more which one."""

    hold: str | None
    placed: bool


@dataclass(slots=True)
class Standing:
    """The legal holds that stand behind the leaves so far, as far as they tell."""

    names: set[str] = field(default_factory=set)

    def change(self, order: Order) -> None:
        """Go past a leaf that places or releases one. Of a release of nobody knows which any may be."""
        if order.hold is None:
            if not order.placed:
                self.names.clear()
        elif order.placed:
            self.names.add(order.hold)
        else:
            self.names.discard(order.hold)

    @property
    def problem(self) -> str:
        """What is wrong with an erasure right here; empty if nothing is."""
        return f"it erased while a legal hold stood: {', '.join(sorted(self.names))}" if self.names else ""


def order(said: receipt.Receipt, value: bytes | None) -> Order | None:
    """What a leaf with this payload (None: it is gone) orders; None if it is of something else."""
    if said.kind is not receipt.Kind.EVENT or said.attributes is None or said.attributes.type not in _KINDS:
        return None
    kind = _KINDS[said.attributes.type]
    try:
        hold = None if value is None else kind.FromString(value).hold
    except DecodeError:
        hold = None  # whoever verifies payloads says so
    return Order(hold, kind is control_pb2.LegalHoldPlaced)
