"""The form of a receipt, looked at without building one: for whoever verifies millions of leaves.

Takes what `receipt.parse` takes (and refuses digests that are none, which that lets pass), at a fraction of its price.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from decklog.model import canonical, receipt

_MEMBERS = frozenset({"about", "ce", "commitment", "kafka", "key", "kind", "len", "recorded_at", "v"})
_NEEDED = frozenset({"id", "source", "subject", "time", "type"})
_ALLOWED = _NEEDED | {"dataschema", "sequence", "traceparent"}
_PLACE = frozenset({"cluster", "epoch", "offset", "partition", "topic"})
_DIGEST = frozenset({"len", "sha256"})
_HASH = re.compile("[0-9a-f]{64}")
_KINDS: Mapping[str, receipt.Kind] = {kind.value: kind for kind in receipt.Kind}


def members(data: bytes) -> dict[str, Any]:
    """What a leaf says, by its bytes: the members of the receipt as JSON values.

    Raises:
        receipt.Malformed: they are not what `receipt.encode` writes for any receipt of version 1.
    """
    try:
        fields = orjson.loads(data)
        # In the domain of receipts sorted and compact is RFC 8785 (see `canonical`); a doubled key comes back once.
        canonical_form = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:  # the latter for what is nested too deeply
        raise receipt.Malformed(f"not a receipt of version {receipt.VERSION}: {error}") from error
    if type(fields) is not dict or canonical_form != data:
        raise receipt.Malformed("the receipt is not in canonical form")
    problem = _problem(fields)
    if problem:
        raise receipt.Malformed(f"not a receipt of version {receipt.VERSION}: {problem}")
    found: dict[str, Any] = fields
    return found


def _problem(fields: dict[str, Any]) -> str:
    if fields.keys() != _MEMBERS or fields["v"] != receipt.VERSION or type(fields["v"]) is not int:
        return "other members, or another version"
    if not (_is_whole(fields["recorded_at"]) and _is_whole(fields["len"])):
        return "a number is not whole, negative, or beyond 2^53"
    committed, key, place, ce = fields["commitment"], fields["key"], fields["kafka"], fields["ce"]
    if committed is not None and not (isinstance(committed, str) and _HASH.fullmatch(committed)):
        return "the commitment is no SHA-256"
    if key is not None and not _is_text(key):
        return "the key is no text"
    if place is not None and not _is_place(place):
        return "the coordinates are not as they are written"
    if ce is not None and not _is_event(ce):
        return "the attributes of the event are not as they are written"
    return _about_problem(fields["kind"], fields["about"])


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= canonical.MAX_INTEGER


def _is_text(value: Any) -> bool:
    if type(value) is str:
        return True
    return (
        type(value) is dict
        and value.keys() == _DIGEST
        and _is_whole(value["len"])
        and isinstance(value["sha256"], str)
        and _HASH.fullmatch(value["sha256"]) is not None
    )


def _is_place(place: Any) -> bool:
    return (
        type(place) is dict
        and place.keys() == _PLACE
        and type(place["cluster"]) is str
        and type(place["topic"]) is str
        and _is_whole(place["epoch"])
        and _is_whole(place["offset"])
        and _is_whole(place["partition"])
    )


def _is_event(ce: Any) -> bool:
    if type(ce) is not dict or not _NEEDED <= ce.keys() <= _ALLOWED:
        return False
    for name, value in ce.items():
        if type(value) is str:
            if name == "sequence":
                return False
        elif not (_is_whole(value) if name == "sequence" else _is_text(value)):
            return False
    return True


def _about_problem(kind: Any, about: Any) -> str:
    if not isinstance(kind, str) or kind not in _KINDS:
        return "a kind that version 1 does not know"
    if about is None:
        return ""
    try:
        receipt.check_about(_KINDS[kind], about)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return str(error)
    return ""
