"""What stands beside a receipt: whether anything, and that headers say what the receipt says, where both do."""

from typing import Any

import orjson

from decklog.model import envelope, headers, receipt, timestamps

_CONSTANT = {"content-type": envelope.CONTENT_TYPE, "ce_specversion": envelope.SPECVERSION}
_PREFIX = "ce_"
_NO_VALUE = b'{"about":%b,' % receipt.about_text(receipt.Poison(envelope.NO_VALUE)).encode()


def may_repeat(framed: bytes) -> bool:
    """Whether headers may say what a receipt says, too. Most say only where the hop stands in a trace: they do not."""
    return _PREFIX.encode() in framed or b"content-type" in framed


def lacks_value(entry: bytes) -> bool:
    """Whether a canonical receipt is of a record without a value (`Receipt.lacks_value`)."""
    return entry.startswith(_NO_VALUE)


def is_erasure(entry: bytes) -> bool:
    """Whether a canonical receipt is of an erasure."""
    return b',"kind":"erasure",' in entry


def has_payload(entry: bytes) -> bool:
    """Whether something was kept beside a canonical receipt: headers, and a value if the record had one."""
    return b',"commitment":"' in entry


def contradiction(entry: bytes, framed: bytes) -> str:
    """Where the headers say something else than the receipt; empty if they do not.

    A receipt without attributes says nothing: its record's could not be read.
    """
    try:
        kept = headers.decode(framed)
    except headers.Malformed as error:
        return f"its headers cannot be read: {error}"
    said: dict[str, Any] | None = orjson.loads(entry)["ce"]
    if said is None:
        return ""
    for name, value in kept:
        expected = _CONSTANT.get(name) or (said.get(name.removeprefix(_PREFIX)) if name in _NAMES else None)
        if expected is not None and not _is(name, value or b"", expected):
            return f"its header {name} is another than its leaf says"
    return ""


_NAMES = frozenset(_PREFIX + name for name in receipt.Attributes._fields)


def _is(name: str, raw: bytes, expected: Any) -> bool:
    text = raw.decode(errors="replace")
    if isinstance(expected, int):
        return text == str(expected)
    if isinstance(expected, dict):
        found = receipt.text(text)
        return isinstance(found, receipt.Digest) and {"len": found.length, "sha256": found.sha256} == expected
    return bool((_time(text) if name == "ce_time" else text) == expected)


def _time(text: str) -> str:
    try:
        return timestamps.canonical(text)
    except ValueError:
        return text
