"""Whose object it is: read from the tracking annotation of the live object.

Two applications that declare one object would undo each other for ever. Whoever finds the other's mark leaves the
object alone and reports it; the other, which is told, reports it too and goes on managing the object. The mark of an
application that was removed, and whose objects stayed, holds nothing: whoever declares such an object takes it over.
"""

from collections.abc import Collection, Iterable, Mapping
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
    live: Mapping[objects.ObjectKey, objects.KubeObject],
    wanted: Iterable[objects.ObjectKey],
    owner: desired.Owner,
    departed: Collection[str] = (),
) -> tuple[Conflict, ...]:
    """The objects an application wants that carry another's mark, in order.

    `departed`: applications of this installation that were declared for the cluster and are not any more.
    """
    found = []
    for key in sorted(wanted):
        body = live.get(key)
        claim = Claim.FREE if body is None else judge(body, owner)
        mark = objects.tracking(body) if body is not None else None
        if mark is None or claim in (Claim.FREE, Claim.OURS):
            continue
        if claim is Claim.FOREIGN or mark.application not in departed:
            found.append(Conflict(key, owner.application, mark.application, mark.installation))
    return tuple(found)


def former_holder(live: objects.KubeObject, owner: desired.Owner) -> str:
    """The application of this installation whose mark an object bears that another one writes; empty for none."""
    mark = objects.tracking(live)
    return mark.application if mark is not None and judge(live, owner) is Claim.THEIRS else ""


@dataclass(frozen=True, slots=True)
class Told:
    """A claim as it was told last: whose it is besides, `installation/application`."""

    key: objects.ObjectKey
    by: str

    @property
    def installation(self) -> str:
        """Of the other one."""
        return self.by.partition("/")[0]

    @property
    def application(self) -> str:
        """The other one."""
        return self.by.partition("/")[2]


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told of claims: those that ended, then those that are new."""

    ended: tuple[Told, ...]
    begun: tuple[Conflict, ...]


def news(told: Iterable[Told], standing: Iterable[Conflict], *, unclear: Collection[objects.ObjectKey]) -> News:
    """What is news of an application's own claims on objects of others.

    Args:
        told: what was told last.
        standing: the conflicts there are now.
        unclear: objects of which it cannot be told just now: what was told of them holds.
    """
    before = {one.key: one for one in told}
    now = {one.key: one for one in standing}
    ended = [
        one for key, one in sorted(before.items()) if key not in unclear and (key not in now or _by(now[key]) != one.by)
    ]
    begun = [one for key, one in sorted(now.items()) if key not in before or before[key].by != _by(one)]
    return News(tuple(ended), tuple(begun))


def _by(conflict: Conflict) -> str:
    return f"{conflict.holder_installation}/{conflict.holder}"
