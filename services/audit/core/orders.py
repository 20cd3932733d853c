"""Orders: events that tell the ledger itself to do something, which it does in the transaction that sequences them."""

from decklog.events.v1 import control_pb2

Order = (
    control_pb2.ErasureRequested
    | control_pb2.KeyRotationRequested
    | control_pb2.LegalHoldPlaced
    | control_pb2.LegalHoldReleased
)

KINDS = frozenset(
    {
        control_pb2.ErasureRequested,
        control_pb2.KeyRotationRequested,
        control_pb2.LegalHoldPlaced,
        control_pb2.LegalHoldReleased,
    }
)


class Refused(ValueError):
    """An order that is not carried out; the text says why."""
