"""Many receipts at a glance: what most leaves look like, recognised by one pattern instead of being parsed.

The pattern takes the receipts of plain events: canonical JSON whose texts are printable ASCII that nothing escapes. All
others, and whatever is not as it must be, are left to `receipt_form`, which takes every receipt that the pattern takes.
"""

import re
from collections.abc import Sequence

from decklog import native

Said = tuple[bytes, bytes, bytes]
"""Commitment in hex, length of the value, recorded_at in microseconds: as they are written."""

_TEXT = rb"[ !#-\[\]-~]*+"
_WHOLE = rb"(?:0|[1-9][0-9]{0,14}+)"
_RECORDED = rb"(?:[1-8][0-9]{15}|0|[1-9][0-9]{0,14}+)"
_SEPARATOR = b"\n"


def _text(name: str, *, optional: bool = False) -> bytes:
    member = b'"%b":"%b",' % (name.encode(), _TEXT)
    return b"(?:%b)?" % member if optional else member


_EVENT = b"".join(
    [
        rb'\{"about":null,"ce":\{',
        _text("dataschema", optional=True),
        _text("id"),
        rb'(?:"sequence":%b,)?' % _WHOLE,
        _text("source"),
        _text("subject"),
        _text("time"),
        _text("traceparent", optional=True),
        rb'"type":"%b"\},' % _TEXT,
        rb'"commitment":"([0-9a-f]{64})",',
        rb'"kafka":\{"cluster":"%b","epoch":%b,"offset":%b,' % (_TEXT, _WHOLE, _WHOLE),
        rb'"partition":%b,"topic":"%b"\},' % (_WHOLE, _TEXT),
        _text("key"),
        rb'"kind":"event","len":(%b),"recorded_at":(%b),"v":1\}' % (_WHOLE, _RECORDED),
    ]
)
_LINES = re.compile(b"^" + _EVENT + b"$", re.MULTILINE)
_ONE = re.compile(_EVENT)


def events(entries: Sequence[bytes]) -> list[Said] | None:
    """What these entries say, if each of them is the receipt of a plain event."""
    if native.kernel is not None:
        return native.kernel.plain_events(entries)
    # A text of the pattern holds no line end: as many matches as lines means that every entry is one.
    joined = _SEPARATOR.join(entries)
    found: list[Said] = _LINES.findall(joined)
    return found if len(found) == len(entries) == joined.count(_SEPARATOR) + 1 else None


def event(entry: bytes) -> Said | None:
    """What one entry says, if it is the receipt of a plain event."""
    found = _ONE.fullmatch(entry)
    return None if found is None else found.group(1, 2, 3)  # type: ignore[return-value]  # none of them is optional
