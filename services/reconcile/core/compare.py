"""The verdict on one object: in sync, modified, missing, extra or unknown.

Drift is the difference between the live object and what a server-side-apply dry-run says it would become; the API
server alone knows what an apply does, so nothing of it is computed here. Both sides are normalised and masked first:
verdict, patch and digests speak of what may be recorded, and equal masked values are equal values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from decklog.model import digest, masking, objects
from services.reconcile.core import desired, ignore, managers, normalise, owned, patch, quantities


class Verdict(StrEnum):
    """How one object compares with Git. `unknown` is never the same as `in_sync`."""

    IN_SYNC = "in_sync"
    MODIFIED = "modified"
    MISSING = "missing"
    EXTRA = "extra"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One object's verdict and what it rests on; nothing in it is unmasked.

    Attributes:
        desired_digest: of what Git wants; empty if it wants nothing.
        live_digest: of what is there; empty if nothing is.
        uid, live_resource_version: the incarnation and version that were compared; empty if it is missing.
        differences: the patch from live to desired. Never empty when modified, always empty otherwise.
        blame: who set the differing fields, newest first.
        overridden: the managers that an apply would take fields from.
        reason, error: why the verdict is unknown, already redacted; or why an extra object stays.
        hint: what to do about that.
    """

    key: objects.ObjectKey
    verdict: Verdict
    desired_digest: str = ""
    live_digest: str = ""
    uid: str = ""
    live_resource_version: str = ""
    differences: patch.Patch = ()
    blame: tuple[managers.Owned, ...] = ()
    overridden: tuple[managers.Owned, ...] = ()
    reason: str = ""
    error: str = ""
    hint: str = ""

    def __post_init__(self) -> None:
        if (self.verdict is Verdict.MODIFIED) != bool(self.differences):
            raise ValueError(f"{self.key}: a modified object has a patch, and no other has")
        if self.verdict is not Verdict.EXTRA and (self.verdict is Verdict.UNKNOWN) != bool(self.reason):
            raise ValueError(f"{self.key}: an unknown verdict has a reason, and besides extra no other has")


def compare(
    wanted: desired.DesiredObject,
    live: objects.KubeObject,
    dry_run: objects.KubeObject,
    *,
    mask: masking.Masking,
    rules: Sequence[ignore.IgnoreRule] = (),
) -> Comparison:
    """The verdict on an object that is wanted, is there, and was dry-run.

    Args:
        wanted: from the desired set.
        live: as read.
        dry_run: the reply to a forced server-side-apply dry-run of `wanted` over `live`.
        mask: how both are masked.
        rules: differences that do not count.
    """
    before, after = sides(wanted.key, live, dry_run, rules)
    masked_before, masked_after = mask(before), mask(after)
    differences = patch.generate(masked_before, masked_after)
    return Comparison(
        key=wanted.key,
        verdict=Verdict.MODIFIED if differences else Verdict.IN_SYNC,
        desired_digest=wanted.digest,
        live_digest=digest.of(masked_before),
        uid=objects.uid(live),
        live_resource_version=objects.resource_version(live),
        differences=differences,
        blame=managers.blame(live, before, differences),
        overridden=managers.overridden(live, dry_run),
    )


def missing(wanted: desired.DesiredObject) -> Comparison:
    """The verdict on an object that is wanted and not there."""
    return Comparison(key=wanted.key, verdict=Verdict.MISSING, desired_digest=wanted.digest)


def unwanted(
    live: objects.KubeObject, *, mask: masking.Masking, reason: str = "", error: str = "", hint: str = ""
) -> Comparison:
    """The verdict on an object that is there, is ours, and is no longer wanted; why it stays, if it does."""
    return Comparison(
        key=objects.key(live),
        verdict=Verdict.EXTRA,
        live_digest=digest.of(mask(normalise.observed(live))),
        uid=objects.uid(live),
        live_resource_version=objects.resource_version(live),
        blame=managers.everyone(live),
        reason=reason,
        error=error,
        hint=hint,
    )


def unknown(
    key: objects.ObjectKey,
    *,
    reason: str,
    error: str,
    wanted: desired.DesiredObject | None = None,
    live: objects.KubeObject | None = None,
) -> Comparison:
    """The verdict when the truth could not be had. `reason` is a stable word, `error` already redacted."""
    return Comparison(
        key=key,
        verdict=Verdict.UNKNOWN,
        desired_digest=wanted.digest if wanted else "",
        uid=objects.uid(live) if live else "",
        live_resource_version=objects.resource_version(live) if live else "",
        reason=reason or "Unknown",
        error=error,
    )


def sides(
    key: objects.ObjectKey,
    live: objects.KubeObject,
    dry_run: objects.KubeObject,
    rules: Sequence[ignore.IgnoreRule],
) -> tuple[objects.KubeObject, objects.KubeObject]:
    """The live object and what it should be, in the form in which they are compared. Not masked."""
    before, after = normalise.observed(live), normalise.observed(dry_run)
    applied = managers.ours(dry_run)
    if applied is not None:
        after = owned.adopt(before, after, managers.ours(live) or {}, applied)
    after = quantities.align(before, after)
    ignored = ignore.places(rules, key, live, before, after)
    return before, ignore.left_alone(after, before, ignored)
