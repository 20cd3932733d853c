"""Judging: the health of an application's objects and of the application, and what of it is news."""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from decklog.events.v1 import apply_pb2, state_pb2
from decklog.model import objects, timestamps
from services.reconcile import comparing, rendering
from services.reconcile.core import complaints, health, recollection, sayings

TOGETHER = 5_000
"""Objects that one event names: well below what an event may hold."""

NUMBERS = {
    health.Status.HEALTHY: apply_pb2.HEALTH_HEALTHY,
    health.Status.PROGRESSING: apply_pb2.HEALTH_PROGRESSING,
    health.Status.DEGRADED: apply_pb2.HEALTH_DEGRADED,
    health.Status.SUSPENDED: apply_pb2.HEALTH_SUSPENDED,
    health.Status.MISSING: apply_pb2.HEALTH_MISSING,
    health.Status.UNKNOWN: apply_pb2.HEALTH_UNKNOWN,
}


def assess(view: comparing.View, wanted: rendering.Wanted, *, now: float) -> dict[objects.ObjectKey, health.Health]:
    """The health of every wanted object. `now`: seconds since the epoch."""
    return {key: _one(view, key, one.gvk, now) for key, one in wanted.members.items()}


def assess_beside(
    view: comparing.View, keys: Collection[objects.ObjectKey], *, now: float
) -> dict[objects.ObjectKey, health.Health]:
    """The health of objects that are there and not wanted; the application's does not depend on it."""
    return {key: _one(view, key, objects.gvk(view.live[key]), now) for key in keys if key in view.live}


def _one(view: comparing.View, key: objects.ObjectKey, gvk: objects.Gvk, now: float) -> health.Health:
    blind = view.blindness(gvk) if gvk in view.served else None
    if blind is not None:
        return health.unknown(complaints.reason(blind), blind.problem)
    return view.health(key, now=now) if key in view.live else health.missing()


def waits(
    known: recollection.Recollection, members: Mapping[objects.ObjectKey, health.Health], *, now: float
) -> dict[objects.ObjectKey, health.Wait]:
    """From when on it is waited for the objects that may still become healthy. `now`: seconds since the epoch."""
    now_us = round(now * timestamps.MICROSECONDS)
    found = ((key, known.wait(key, now_us=now_us)) for key, one in members.items() if health.waiting(one))
    return {key: wait for key, wait in found if wait is not None}


def news(
    voice: sayings.Voice,
    known: recollection.Recollection,
    members: Mapping[objects.ObjectKey, health.Health],
    whole: health.Health,
    wanted: rendering.Wanted,
    beside: Mapping[objects.ObjectKey, health.Health] = MappingProxyType({}),
) -> list[apply_pb2.HealthAssessed | apply_pb2.HealthChanged]:
    """What changed since it was told last: the objects first, then the whole."""
    told: list[apply_pb2.HealthAssessed | apply_pb2.HealthChanged] = [
        *_healthy_from_the_first(voice, known, members, wanted),
        *_object_news(voice, known, {**members, **beside}, wanted),
    ]
    before, after, message = known.header.health, NUMBERS[whole.status], wanted.redactor.redact(whole.message)
    if _is_news(before, after, whole.reason, message):
        told.append(
            apply_pb2.HealthChanged(
                application=voice.application,
                before=before.health,
                after=after,
                reason=whole.reason,
                message=message,
                revision=known.header.synced if known.header.HasField("synced") else None,
                fence=voice.fence,
            )
        )
    return told


def _healthy_from_the_first(
    voice: sayings.Voice,
    known: recollection.Recollection,
    members: Mapping[objects.ObjectKey, health.Health],
    wanted: rendering.Wanted,
) -> Iterator[apply_pb2.HealthAssessed]:
    """Most objects have no other health, so they are told together."""
    found = [key for key, one in sorted(members.items()) if _first_and_fine(known, key, one)]
    for start in range(0, len(found), TOGETHER):
        named = found[start : start + TOGETHER]
        yield apply_pb2.HealthAssessed(
            application=voice.application,
            health=apply_pb2.HEALTH_HEALTHY,
            objects=[sayings.ref(key, version=wanted.members[key].gvk.version) for key in named],
            revision=known.header.synced if known.header.HasField("synced") else None,
            fence=voice.fence,
        )


def _first_and_fine(known: recollection.Recollection, key: objects.ObjectKey, one: health.Health) -> bool:
    return one.status is health.Status.HEALTHY and known.of(key).health.health == apply_pb2.HEALTH_UNSPECIFIED


def _object_news(
    voice: sayings.Voice,
    known: recollection.Recollection,
    members: Mapping[objects.ObjectKey, health.Health],
    wanted: rendering.Wanted,
) -> Iterator[apply_pb2.HealthChanged]:
    for key, one in sorted(members.items()):
        before, after = known.of(key).health, NUMBERS[one.status]
        message = wanted.redactor.redact_about(key, one.message)
        if not _is_news(before, after, one.reason, message) or _first_and_fine(known, key, one):
            continue
        yield apply_pb2.HealthChanged(
            application=voice.application,
            object=sayings.ref(key, version=_version(known, key, wanted)),
            before=before.health,
            after=after,
            reason=one.reason,
            message=message,
            revision=known.header.synced if known.header.HasField("synced") else None,
            fence=voice.fence,
        )


def _version(known: recollection.Recollection, key: objects.ObjectKey, wanted: rendering.Wanted) -> str:
    one = wanted.members.get(key)
    return one.gvk.version if one is not None else known.of(key).object.version


def _is_news(before: state_pb2.HealthState, after: "apply_pb2.Health.ValueType", reason: str, message: str) -> bool:
    """Another health, or another trouble: whoever waits for something wants to know for what."""
    if before.health != after:
        return True
    return after in recollection.AILING and (before.reason, before.message) != (reason, message)
