"""What the headers of a sender's events of one type have in common: judged once, not for each record."""

from collections.abc import Sequence
from typing import NamedTuple

from decklog.model import envelope, events, header_shapes, headers, receipt

_IN_RECEIPT = frozenset({"content-type", "ce_specversion", *(f"ce_{name}" for name in receipt.Attributes._fields)})


class Sender(NamedTuple):
    """What headers say that one sender's events of one type share."""

    form: envelope.Form
    frame: tuple[str, str, str]
    kept: Sequence[tuple[int, bytes]]
    """Which of the values that differ the receipt will not hold, by place, and how the header of each begins."""
    kinds: dict[str, events.Kind | str]
    """What of it was asked about, by the label of the topic."""

    def kind(self, label: str) -> events.Kind | str:
        """The kind of event that it may say on a topic, or why it may not."""
        known = self.kinds.get(label)
        if known is None:
            known = self.kinds[label] = _judged(self.form.type, self.form.source, label)
        return known


def of_shape(shape: header_shapes.Shape) -> Sender:
    """Who sends headers of this shape. Raises Undecodable."""
    form = envelope.form(shape)
    kept = [(place, headers.framed_name(name)) for place, name in enumerate(form.names) if name not in _IN_RECEIPT]
    return Sender(form, receipt.event_frame(form.source, form.type, form.dataschema), kept, {})


def _judged(ce_type: str, source: str, label: str) -> events.Kind | str:
    """The kind of event that this source may say on this topic, or why it may not."""
    try:
        kind = events.by_type(ce_type)
    except events.UnknownType:
        return "the ce_type is not one this version knows"
    if kind.topic != label:
        return f"{ce_type} belongs on the topic {kind.topic}, not {label}"
    _, product, _, service, *name = [*source.split("/", 4), "", "", "", ""][:5]
    if product != "decklog" or not source.startswith("/decklog/") or not all(name):
        return "ce_source is not /decklog/<installation>/<service>/<name>"
    if service not in kind.producers:
        return f"{ce_type} is said by {' or '.join(sorted(kind.producers))} only"
    return kind
