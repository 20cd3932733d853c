"""What was ordered: an erasure, or another key of the log, stands right behind the event that asked for it.

The leader appends both in one transaction, so nothing ever stands between them.
"""

from collections.abc import Mapping

from google.protobuf.message import DecodeError

from decklog.events.v1 import control_pb2
from decklog.model import events, receipt, topics

About = receipt.Erasure | receipt.Rotation
_Order = control_pb2.ErasureRequested | control_pb2.KeyRotationRequested

_ORDERS: Mapping[type[About], type[_Order]] = {
    receipt.Erasure: control_pb2.ErasureRequested,
    receipt.Rotation: control_pb2.KeyRotationRequested,
}


def problem(about: About, before: receipt.Receipt | None, value: bytes | None) -> str:
    """Whether the leaf before (None: there is none) orders what a leaf says was done; what is wrong, or nothing.

    `value` is the payload of the leaf before, None where it is not known or was erased: then its receipt alone tells.
    """
    order = _ORDERS[type(about)]
    name = order.DESCRIPTOR.name
    if before is None or not _is_order(before, order):
        return f"no {name} stands before it: nobody ordered it"
    if value is not None and not _asks_for(value, order, about):
        return f"the {name} before it orders something else"
    return ""


def _is_order(before: receipt.Receipt, order: type[_Order]) -> bool:
    if before.kind is not receipt.Kind.EVENT or before.attributes is None or before.place is None:
        return False
    kind = events.by_type(events.TYPE_PREFIX + order.DESCRIPTOR.name)
    topic = topics.BY_LABEL[kind.topic].name("")  # whatever the installation's prefix is
    return before.attributes.type == kind.ce_type and before.place.topic.endswith(topic)


def _asks_for(value: bytes, order: type[_Order], about: About) -> bool:
    if len(value) > topics.MAX_EVENT_BYTES:
        return False
    try:
        asked = order.FromString(value)
    except DecodeError:
        return False
    match about, asked:
        case receipt.Erasure(ranges, _), control_pb2.ErasureRequested():
            return len(asked.leaves) == len(ranges) and all(
                (one.first, one.end) == tuple(said) for one, said in zip(asked.leaves, ranges, strict=True)
            )
        case receipt.Rotation(vkey, beside), control_pb2.KeyRotationRequested():
            return (asked.vkey, asked.beside or None) == (vkey, beside)
    return False
