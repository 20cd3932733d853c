"""Objects that two applications claim, as a failure of each: which they are, who claims them besides, what to do."""

from collections.abc import Mapping, Sequence
from typing import Any

from decklog.events.v1 import apply_pb2
from decklog.model import objects
from services.audit.core import wording

Failure = Mapping[str, Any]

_NAMED = 2
"""Objects that are named beside the first."""


def after(known: Failure | None, message: apply_pb2.ClaimConflicted) -> Failure | None:
    """The failure once this was told; None if no claim is left."""
    said = {
        "object": wording.object_name(message.object),
        "claimed_by": message.claimed_by,
        "installation": message.claimed_by_installation,
        "holds": message.holds,
    }
    # A claimant finds one holder; one that holds may be told of several claimants.
    place = ("object", "holds", "claimed_by") if message.holds else ("object", "holds")
    others = [one for one in _claims(known) if any(one[name] != said[name] for name in place)]
    return _failure(others if message.settled else [*others, said])


def judged(known: Failure, key: str) -> Failure | None:
    """The failure once an object that belonged to somebody else could be compared: it does so no longer."""
    rest = [one for one in _claims(known) if one["holds"] or one["object"] != key]
    return known if len(rest) == len(_claims(known)) else _failure(rest)


def _claims(known: Failure | None) -> Sequence[Mapping[str, Any]]:
    return known["claims"] if known is not None else ()


def _failure(claims: Sequence[Mapping[str, Any]]) -> Failure | None:
    if not claims:
        return None
    first, *others = claims
    return {
        "reason": "ClaimConflicted",
        "message": _words(first) + _also(others),
        "hint": _hint(first),
        "object": first["object"],
        "claims": list(claims),
    }


def _words(one: Mapping[str, Any]) -> str:
    name = objects.ObjectKey.parse(one["object"]).display
    if one["holds"]:
        return f"{name} is declared by application {one['claimed_by']}, too; this one goes on managing it"
    return f"{name} bears the mark of application {one['claimed_by']}, so this one does not write it"


def _hint(one: Mapping[str, Any]) -> str:
    keep = "Keep the object in one of the two applications"
    if one["holds"]:
        return keep
    return f"{keep}; to hand it over, remove its annotation {objects.TRACKING_ANNOTATION}"


def _also(others: Sequence[Mapping[str, Any]]) -> str:
    names = [objects.ObjectKey.parse(one["object"]).display for one in others[:_NAMED]]
    more = [f"{len(others) - _NAMED} more"] if len(others) > _NAMED else []
    return f"; the same of {', '.join([*names, *more])}" if names else ""
