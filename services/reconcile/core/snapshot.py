"""What is recorded of a live object: its normalised, masked body with the facts around it."""

import hashlib
from dataclasses import dataclass

from decklog.model import digest, masking, objects
from services.reconcile.core import managers, normalise


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One version of a live object, ready to be recorded; a pure function of the object and the rules in force.

    Attributes:
        body: JSON with sorted keys; `digest` is of it.
        changed: the newest creation or managed-fields time, RFC 3339 as the API server wrote it, or empty.
        tracked_application: from the tracking annotation; empty when it has none, or is a copy.
        rules_digest: names normaliser version, masking rules and key.
    """

    key: objects.ObjectKey
    gvk: objects.Gvk
    uid: str
    resource_version: str
    generation: int
    digest: str
    body: bytes
    changed: str
    managers: tuple[managers.Owned, ...]
    tracked_application: str
    rules_digest: str


def take(live: objects.KubeObject, mask: masking.Masking) -> Snapshot:
    """The snapshot of a live object."""
    body = digest.canonical(mask(normalise.observed(live)))
    generation = objects.metadata(live).get("generation")
    return Snapshot(
        key=objects.key(live),
        gvk=objects.gvk(live),
        uid=objects.uid(live),
        resource_version=objects.resource_version(live),
        generation=generation if isinstance(generation, int) else 0,
        digest=digest.of_canonical(body),
        body=body,
        changed=changed(live),
        managers=managers.everyone(live),
        tracked_application=tracked_application(live),
        rules_digest=rules_digest(mask),
    )


def changed(live: objects.KubeObject) -> str:
    """When the object was last changed, as its own metadata tells; the status does not count."""
    written = [one.time for one, _ in managers.of(live) if one.subresource != "status"]
    created = objects.metadata(live).get("creationTimestamp")
    return max([created if isinstance(created, str) else "", *written])


def tracked_application(live: objects.KubeObject) -> str:
    """The application whose mark the object carries; empty for none, and for the mark of a copy."""
    mark = objects.tracking(live)
    return mark.application if mark is not None and mark.key == objects.key(live) else ""


def rules_digest(mask: masking.Masking) -> str:
    """Names everything that decides how a body is recorded, in hex."""
    return hashlib.sha256(f"{normalise.VERSION}\n{digest.SCHEME}\n{mask.digest}".encode()).hexdigest()
