"""The verdict cache: what a dry-run said once holds as long as neither side moved.

A verdict depends on the desired object and on the live object's version alone, so a steady state needs no request.
`unknown` is never kept: it is asked again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from decklog.model import objects
from services.reconcile.core import compare, desired


@dataclass(frozen=True, slots=True)
class Basis:
    """What a verdict rests on. The uid is needed beside the version: a cluster restored from a backup counts anew.

    `rules` names the ignore rules and masking in force, so that changing them asks again.
    """

    desired_digest: str
    uid: str
    resource_version: str
    rules: str = ""


Known = Mapping[objects.ObjectKey, tuple[Basis, compare.Comparison]]


def basis(wanted: desired.DesiredObject, live: objects.KubeObject, rules: str = "") -> Basis:
    """What a verdict on these two would rest on."""
    return Basis(wanted.digest, objects.uid(live), objects.resource_version(live), rules)


def recall(
    known: Known, wanted: desired.DesiredObject, live: objects.KubeObject, rules: str = ""
) -> compare.Comparison | None:
    """The verdict that still holds, or None when a dry-run must be asked."""
    found = known.get(wanted.key)
    if found is None or found[0] != basis(wanted, live, rules):
        return None
    return found[1]


def keep(
    known: Known, kept: Iterable[tuple[Basis, compare.Comparison]]
) -> dict[objects.ObjectKey, tuple[Basis, compare.Comparison]]:
    """The cache with these verdicts, where they are worth keeping."""
    fresh = {
        comparison.key: (of, comparison)
        for of, comparison in kept
        if comparison.verdict in (compare.Verdict.IN_SYNC, compare.Verdict.MODIFIED)
    }
    return {**known, **fresh}
