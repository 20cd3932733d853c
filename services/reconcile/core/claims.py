"""Whose object it is: read from the tracking annotation of the live object.

Two applications that declare one object would undo each other for ever. Whoever finds the other's mark leaves the
object alone and reports it; the other finds the declaration refused in the same record.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from decklog.model import objects
from services.reconcile.core import desired


class Claim(StrEnum):
    """What a live object's mark says to one application.

    `free`: no mark, or the mark of a copy: it may be taken over. `ours`. `theirs`: another application of this
    installation manages it. `foreign`: another installation does.
    """

    FREE = "free"
    OURS = "ours"
    THEIRS = "theirs"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Conflict:
    """One object that two applications claim. `holder` is the one whose mark the object carries."""

    key: objects.ObjectKey
    claimant: str
    holder: str
    holder_installation: str

    def __str__(self) -> str:
        return (
            f"{self.key.display} is declared by {self.claimant} and managed by {self.holder}; "
            f"remove it from one of the two, or remove the annotation {objects.TRACKING_ANNOTATION} to hand it over"
        )


def judge(live: objects.KubeObject, owner: desired.Owner) -> Claim:
    """Whose the live object is, seen by one application."""
    mark = objects.tracking(live)
    if mark is None or mark.key != objects.key(live):
        return Claim.FREE
    if mark.installation != owner.installation:
        return Claim.FOREIGN
    return Claim.OURS if mark.application == owner.application else Claim.THEIRS


def conflicts(
    live: Mapping[objects.ObjectKey, objects.KubeObject], wanted: Iterable[objects.ObjectKey], owner: desired.Owner
) -> tuple[Conflict, ...]:
    """The objects an application wants that carry another's mark, in order."""
    found = []
    for key in sorted(wanted):
        body = live.get(key)
        if body is None or judge(body, owner) in (Claim.FREE, Claim.OURS):
            continue
        mark = objects.tracking(body)
        if mark is not None:
            found.append(Conflict(key, owner.application, mark.application, mark.installation))
    return tuple(found)


def declared_twice(declared: Mapping[str, Iterable[objects.ObjectKey]]) -> tuple[Conflict, ...]:
    """The objects that several applications of one installation and cluster declare; the first by name holds."""
    holders: dict[objects.ObjectKey, str] = {}
    found = []
    for application in sorted(declared):
        for key in sorted(declared[application]):
            holder = holders.setdefault(key, application)
            if holder != application:
                found.append(Conflict(key, application, holder, ""))
    return tuple(found)
