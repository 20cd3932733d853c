"""What reconcile says, as messages: core values in, protobuf out. Everything put in has been masked before.

The envelope (id, key, sequence) is the shell's; the words are here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from decklog.events.v1 import apply_pb2, drift_pb2, live_pb2, state_pb2, subject_pb2
from decklog.model import digest, masking, objects, timestamps
from services.reconcile.core import claims, desired, drift, managers, normalise, patch, snapshot, spelling, tally

PART_BYTES = 1_048_576
"""Bodies beyond this size move to the next part of `Rendered`."""

_PHASES = {
    drift.Phase.OPENED: drift_pb2.DRIFT_PHASE_OPENED,
    drift.Phase.CHANGED: drift_pb2.DRIFT_PHASE_CHANGED,
    drift.Phase.RESOLVED: drift_pb2.DRIFT_PHASE_RESOLVED,
}

_HINTS = {
    "Rejected": "Correct the object in Git",
    "FieldConflict": "Declare conflicts: force, or leave the field to its other manager",
    "ClaimConflicted": "Keep the object in one application only",
    "UnknownKind": "Install its CustomResourceDefinition, or correct apiVersion and kind",
    "Forbidden": "Grant the service account what it may not do",
    "NotFound": "Create what is missing, or correct the name",
    "Stale": "It is tried again with the newest version",
    "Expired": "It is read anew",
    "Unavailable": "It is asked again with growing pauses",
}
"""What to do next, for reasons whose hint got lost on the way from the API server."""


@dataclass(frozen=True, slots=True)
class Voice:
    """On whose behalf something is said: the application, and the right of its owner to speak."""

    application: subject_pb2.ApplicationRef
    fence: subject_pb2.Fence


def ref(key: objects.ObjectKey, *, version: str = "", uid: str = "") -> subject_pb2.ObjectRef:
    """An object as events name it."""
    return subject_pb2.ObjectRef(
        group=key.group, version=version, kind=key.kind, namespace=key.namespace, name=key.name, uid=uid
    )


def field_managers(owned: Iterable[managers.Owned]) -> list[subject_pb2.FieldManager]:
    """Managers with their fields and whole-second times."""
    return [
        subject_pb2.FieldManager(
            manager=one.manager.manager,
            operation=one.manager.operation,
            subresource=one.manager.subresource,
            time_us=instant(one.manager.time),
            fields=one.pointers,
        )
        for one in owned
    ]


def instant(text: str) -> int:
    """Microseconds of a time as the API server writes it; 0 for none, or for what is no time."""
    try:
        return timestamps.parse_us(text) if text else 0
    except ValueError:
        return 0


def drift_observed(
    voice: Voice, seen: drift.Observation, *, version: str, revision: subject_pb2.Revision
) -> drift_pb2.DriftObserved:
    """A step in the story of one object's difference."""
    one = seen.comparison
    why = failure(one.reason, one.error, one.hint) if one.reason else None
    return drift_pb2.DriftObserved(
        application=voice.application,
        object=ref(one.key, version=version, uid=one.uid),
        verdict=spelling.VERDICTS_BY_NAME[one.verdict],
        phase=_PHASES[seen.phase],
        episode=seen.episode_id,
        desired_digest=one.desired_digest,
        live_digest=one.live_digest,
        patch=orjson.dumps(patch.as_json(one.differences)) if one.differences else b"",
        managers=field_managers(one.blame),
        revision=revision,
        live_resource_version=one.live_resource_version,
        failure=why,
        fence=voice.fence,
    )


def compared(voice: Voice, revision: subject_pb2.Revision, now: tally.Tally) -> drift_pb2.Compared:
    """The application as a whole was compared."""
    said = drift_pb2.Compared(
        application=voice.application,
        revision=revision,
        desired_digest=now.desired_digest,
        settings_digest=now.settings_digest,
        fence=voice.fence,
    )
    for verdict, number in now.counts.items():
        setattr(said, verdict.value, number)
    return said


def switched_off(voice: Voice, last: subject_pb2.Revision, settings_digest: str) -> drift_pb2.Compared:
    """Nothing is compared any more. `last`: what it was compared with."""
    return drift_pb2.Compared(
        application=voice.application, revision=last, settings_digest=settings_digest, fence=voice.fence, off=True
    )


def object_changed(cluster_uid: str, seen: snapshot.Snapshot, *, key_id: str) -> live_pb2.ObjectChanged:
    """A version of a live object. Holds nothing that depends on who saw it or when."""
    return live_pb2.ObjectChanged(
        cluster_uid=cluster_uid,
        object=ref(seen.key, version=seen.gvk.version, uid=seen.uid),
        resource_version=seen.resource_version,
        generation=seen.generation,
        digest=seen.digest,
        body=seen.body,
        changed_us=instant(seen.changed),
        managers=field_managers(seen.managers),
        tracked_application=seen.tracked_application,
        rules_digest=seen.rules_digest,
        key_id=key_id,
    )


def object_deleted(cluster_uid: str, last: objects.KubeObject) -> live_pb2.ObjectDeleted:
    """The end of a live object, as a watch saw it."""
    deletion = objects.metadata(last).get("deletionTimestamp")
    return live_pb2.ObjectDeleted(
        cluster_uid=cluster_uid,
        object=ref(objects.key(last), version=objects.gvk(last).version, uid=objects.uid(last)),
        resource_version=objects.resource_version(last),
        changed_us=instant(deletion if isinstance(deletion, str) else snapshot.changed(last)),
        tracked_application=snapshot.tracked_application(last),
    )


def object_vanished(cluster_uid: str, last: state_pb2.ObjectState, *, application: str) -> live_pb2.ObjectDeleted:
    """The end of an object that a list no longer has: from what was recorded of it, so that everyone says the same.

    `cluster_uid`: of the cluster where it was; another one may have taken the name since.
    """
    return live_pb2.ObjectDeleted(
        cluster_uid=cluster_uid,
        object=last.object,
        resource_version=last.live_resource_version,
        changed_us=last.live_changed_us,
        inferred=True,
        tracked_application=application if last.managed else "",
    )


def derived_from(said: live_pb2.ObjectChanged | live_pb2.ObjectDeleted) -> tuple[bytes, ...]:
    """What the id of a live event is a function of."""
    rules = said.rules_digest if isinstance(said, live_pb2.ObjectChanged) else ""
    return tuple(part.encode() for part in (said.cluster_uid, said.object.uid, said.resource_version, rules))


def state_lost(voice: Voice, *, doubtful: bool) -> apply_pb2.StateLost:
    """Not all is known of an application. `doubtful`: only something newer than what is left was remembered."""
    what = "the newest state of it was written over" if doubtful else "its state and the first events of it are gone"
    hint = f"Sync it once, `decklog app sync {voice.application.application}`, or `decklog admin repair state`"
    words = f"{what}: nothing is synced or pruned by itself"
    return apply_pb2.StateLost(
        application=voice.application, failure=failure("StateLost", words, hint), fence=voice.fence
    )


def state_recovered(voice: Voice) -> apply_pb2.StateLost:
    """Everything is known again."""
    return apply_pb2.StateLost(application=voice.application, recovered=True, fence=voice.fence)


def claim_conflicted(voice: Voice, conflict: claims.Conflict, *, version: str) -> apply_pb2.ClaimConflicted:
    """Somebody else's object."""
    return apply_pb2.ClaimConflicted(
        application=voice.application,
        object=ref(conflict.key, version=version),
        claimed_by=conflict.holder,
        claimed_by_installation=conflict.holder_installation,
        fence=voice.fence,
    )


def claim_settled(voice: Voice, told: claims.Told, about: subject_pb2.ObjectRef) -> apply_pb2.ClaimConflicted:
    """It is no longer somebody else's, or no longer wanted."""
    return apply_pb2.ClaimConflicted(
        application=voice.application,
        object=about,
        claimed_by=told.application,
        claimed_by_installation=told.installation,
        settled=True,
        fence=voice.fence,
    )


def claim_of_another(
    voice: Voice, claim: state_pb2.ObjectClaim, installation: str, *, settled: bool = False
) -> apply_pb2.ClaimConflicted:
    """Somebody else wants our object, too, or (`settled`) no longer does."""
    return apply_pb2.ClaimConflicted(
        application=voice.application,
        object=claim.object,
        claimed_by=claim.claimed_by,
        claimed_by_installation=installation,
        holds=True,
        settled=settled,
        fence=voice.fence,
    )


def desired_digest(wanted: Mapping[objects.ObjectKey, desired.DesiredObject]) -> str:
    """Names a desired state."""
    return digest.of([[str(key), wanted[key].digest] for key in sorted(wanted)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """What a render was made with."""

    revision: subject_pb2.Revision
    renderer: str
    renderer_version: str
    inputs: Mapping[str, str]
    """Path → object id, empty where nothing was and that mattered."""
    warnings: Sequence[str] = ()


def rendered(
    voice: Voice,
    render: Render,
    wanted: Mapping[objects.ObjectKey, desired.DesiredObject],
    *,
    mask: masking.Masking,
) -> list[apply_pb2.Rendered]:
    """The desired state, in as many parts as its masked bodies need."""
    chunks = list(_chunks(_bodies(wanted, mask)))
    parts = [
        apply_pb2.Rendered(
            application=voice.application,
            revision=render.revision,
            renderer=render.renderer,
            renderer_version=render.renderer_version,
            bodies=chunk,
            part=number,
            parts=len(chunks),
            digest=desired_digest(wanted),
            fence=voice.fence,
        )
        for number, chunk in enumerate(chunks)
    ]
    parts[0].warnings.extend(render.warnings)
    for path, object_id in sorted(render.inputs.items()):
        parts[0].inputs.add(path=path, object_id=object_id)
    for key in sorted(wanted):
        one = wanted[key]
        named = ref(key, version=one.gvk.version)
        parts[0].objects.add(object=named, digest=one.digest, file=one.file, line=one.line)
    return parts


def _bodies(
    wanted: Mapping[objects.ObjectKey, desired.DesiredObject], mask: masking.Masking
) -> Iterator[apply_pb2.Body]:
    seen: set[str] = set()
    for key in sorted(wanted):
        one = wanted[key]
        if one.digest not in seen:
            seen.add(one.digest)
            yield apply_pb2.Body(digest=one.digest, json=digest.canonical(mask(normalise.desired(one.body))))


def _chunks(bodies: Iterable[apply_pb2.Body]) -> Iterator[list[apply_pb2.Body]]:
    """At least one, none above the limit unless a single body is."""
    chunk: list[apply_pb2.Body] = []
    size = 0
    for body in bodies:
        if chunk and size + len(body.json) > PART_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(body)
        size += len(body.json)
    yield chunk


def failure_of_problem(problem: desired.Problem) -> subject_pb2.Failure:
    """What is wrong with a manifest."""
    return subject_pb2.Failure(
        reason=problem.reason, message=problem.message, hint=problem.hint, file=problem.file, line=problem.line
    )


def failure(reason: str, message: str, hint: str = "", **more: Any) -> subject_pb2.Failure:
    """Why something could not be done, and what to do next. The message has been redacted."""
    return subject_pb2.Failure(reason=reason, message=message, hint=hint or _HINTS.get(reason, ""), **more)
