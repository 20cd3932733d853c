"""Telling: what of a picture is news, said once."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import structlog
from google.protobuf.message import Message
from prometheus_client import Counter

from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2, state_pb2, subject_pb2
from decklog.model import declaration, fleet, masking, objects, timestamps
from decklog.runtime import names, telemetry
from services.reconcile import endings, ordering, recording, rendering
from services.reconcile.core import claims, compare, drift, managers, recollection, sayings, spelling, sync, tally

log = structlog.get_logger(__name__)

_OF_THE_MANIFEST = frozenset({"Rejected", "NotFound", "Forbidden", "UnknownKind"})
"""Refusals that a commit may end: they are told with the place in Git."""

_syncs = Counter(names.METRIC_SYNCS, "Syncs that ended", ["cluster", "outcome"])


def kinds(wanted: rendering.Wanted, known: recollection.Recollection) -> frozenset[objects.Gvk]:
    """The kinds to be watched: of what is wanted, of what is remembered, and of what an earlier life left."""
    remembered = {
        objects.Gvk(key.group, one.object.version, key.kind)
        for key, one in known.records.items()
        if key not in wanted.members
    }
    return frozenset({one.gvk for one in wanted.members.values()} | remembered | known.left())


def claimed_by_another(conflict: claims.Conflict, wanted: rendering.Wanted) -> compare.Comparison:
    """What belongs to somebody else is not judged."""
    one = wanted.members[conflict.key]
    return compare.unknown(conflict.key, reason="ClaimConflicted", error=str(conflict), wanted=one)


def drift_news(
    chronicle: recording.Chronicle,
    comparisons: Mapping[objects.ObjectKey, compare.Comparison],
    wanted: rendering.Wanted,
    *,
    seen_us: int,
    forget_others: bool,
) -> Iterator[drift_pb2.DriftObserved]:
    """What the verdicts add to the stories of the objects.

    `seen_us` stands in for the time of a manager that the API server keeps none for (a scale). With `forget_others`,
    stories of objects that are neither wanted nor there end.
    """
    now = timestamps.format_us(seen_us // 1_000_000 * 1_000_000)
    for key, one in sorted(comparisons.items()):
        if one.verdict is compare.Verdict.IN_SYNC and not chronicle.known.of(key).episode:
            continue
        dated = replace(one, blame=managers.dated(one.blame, now))
        seen = drift.observe(chronicle.key, episode(chronicle.known.of(key)), dated)
        if seen is not None:
            yield _observed(chronicle, seen, wanted)
    if not forget_others:
        return
    for key, record in sorted(chronicle.known.records.items()):
        ended = None if key in comparisons else drift.gone(episode(record), key)
        if ended is not None:
            yield _observed(chronicle, ended, wanted)


def comparison_news(
    chronicle: recording.Chronicle,
    comparisons: Collection[compare.Comparison],
    wanted: rendering.Wanted,
    spec: fleet_pb2.ApplicationSpec,
) -> list[drift_pb2.Compared]:
    """That everything was compared, if that is news. Say it after the drift: what says nothing of itself is in sync."""
    now = tally.Tally(
        commit=wanted.revision.commit,
        desired_digest=wanted.digest,
        settings_digest=declaration.settings_digest(spec),
        counts=tally.count(comparisons),
    )
    if not tally.is_news(chronicle.known.told(), now):
        return []
    return [sayings.compared(chronicle.voice, wanted.revision, now)]


async def switched_off(chronicle: recording.Chronicle, spec: fleet_pb2.ApplicationSpec) -> None:
    """Say once that nothing is compared any more, if anything was ever told."""
    header = chronicle.known.header
    told = header.HasField("compared") or header.HasField("health") or chronicle.known.records
    if told and not header.compared.off:
        settings = declaration.settings_digest(spec)
        await chronicle.say([sayings.switched_off(chronicle.voice, header.compared.revision, settings)])


def episode(record: state_pb2.ObjectState) -> drift.Episode | None:
    """An object's open story."""
    if not record.episode:
        return None
    return drift.Episode(record.episode, spelling.VERDICTS[record.verdict], record.fingerprint, record.drifted)


def _observed(
    chronicle: recording.Chronicle, seen: drift.Observation, wanted: rendering.Wanted
) -> drift_pb2.DriftObserved:
    key = seen.comparison.key
    one = wanted.members.get(key)
    version = one.gvk.version if one else chronicle.known.of(key).object.version
    said = sayings.drift_observed(chronicle.voice, seen, version=version, revision=wanted.revision)
    if one is not None and said.failure.reason in _OF_THE_MANIFEST:
        said.failure.file, said.failure.line = one.file, one.line
    return said


async def rendered(
    chronicle: recording.Chronicle, wanted: rendering.Wanted, mask: masking.Masking, origin: str | None
) -> None:
    """Say what is wanted, unless the same was said of the same revision."""
    known = chronicle.known.header
    same = (known.rendered.revision, known.rendered.digest) == (wanted.revision, wanted.digest)
    if not same or known.HasField("render_failed"):
        await chronicle.say(sayings.rendered(chronicle.voice, wanted.render, wanted.members, mask=mask), cause=origin)
    log.info(
        "rendered",
        application=chronicle.application.application,
        commit=wanted.revision.commit,
        objects=len(wanted.members),
        renderer=wanted.render.renderer,
        news=not same,
    )


async def render_failed(
    chronicle: recording.Chronicle,
    revision: subject_pb2.Revision,
    failure: subject_pb2.Failure,
    order: ordering.Order | None,
    origin: str | None,
) -> None:
    """Say once why there is nothing to compare with. Whoever asked for a sync is answered that it failed."""
    known = chronicle.known.header.render_failed
    messages: list[Message] = []
    if (known.revision, known.failure) != (revision, failure):
        messages.append(
            apply_pb2.RenderFailed(
                application=chronicle.application, revision=revision, failure=failure, fence=chronicle.voice.fence
            )
        )
        log.warning(
            "rendering failed", application=chronicle.application.application, reason=failure.reason, file=failure.file
        )
    if order is not None:
        messages.extend(endings.stillborn(chronicle.voice, order, revision, failure))
    await chronicle.say(messages, cause=origin)


async def out_of_sight(
    chronicle: recording.Chronicle, failure: subject_pb2.Failure, mask: masking.Masking, *, now_us: int
) -> None:
    """The cluster cannot be asked, or there is nothing to compare with: nothing is known any more of what is there."""
    known = chronicle.known
    present = [key for key, record in known.records.items() if record.managed or record.episode]
    verdicts = {key: compare.unknown(key, reason=failure.reason, error=failure.message) for key in present}
    wanted = nothing_wanted(chronicle, mask)
    messages: list[Message] = list(drift_news(chronicle, verdicts, wanted, seen_us=now_us, forget_others=False))
    told = [(known.of(key).object, known.of(key).health.health) for key in present]
    messages.extend(
        apply_pb2.HealthChanged(
            application=chronicle.application,
            object=about,
            before=before,
            after=apply_pb2.HEALTH_UNKNOWN,
            reason=failure.reason,
            message=failure.message if about is None else "",  # of the objects it is told as drift
            revision=known.header.synced if known.header.HasField("synced") else None,
            fence=chronicle.voice.fence,
        )
        for about, before in [*told, (None, known.header.health.health)]
        if before != apply_pb2.HEALTH_UNKNOWN
    )
    await chronicle.say(messages)


async def resolve_all(chronicle: recording.Chronicle, mask: masking.Masking, *, now_us: int) -> None:
    """The application is gone, and with it every difference."""
    wanted = nothing_wanted(chronicle, mask)
    await chronicle.say(list(drift_news(chronicle, {}, wanted, seen_us=now_us, forget_others=True)))


def nothing_wanted(chronicle: recording.Chronicle, mask: masking.Masking) -> rendering.Wanted:
    """What a removed application wants."""
    return rendering.Wanted(
        members={},
        ignored=(),
        digest=sayings.desired_digest({}),
        render=sayings.Render(
            revision=chronicle.known.header.rendered.revision, renderer="", renderer_version="", inputs={}
        ),
        redactor=mask.redactor(),
    )


def render_basis(spec: fleet_pb2.ApplicationSpec, revision: subject_pb2.Revision, declared: fleet.Fleet) -> str:
    """Names everything that decides a render."""
    source = declared.source(spec.source)
    parts = (revision.commit, spec.path, spec.renderer, spec.dest_namespace, source.url if source else "")
    return "\n".join(map(str, parts))


@contextmanager
def sync_span(
    chronicle: recording.Chronicle, order: ordering.Order, revision: subject_pb2.Revision
) -> Iterator[Callable[[sync.Outcome], None]]:
    """The trace span and the canonical log line of a sync; it is told the outcome."""
    ended: list[sync.Outcome] = []
    attributes = {
        names.APPLICATION: chronicle.application.application,
        names.CLUSTER: chronicle.application.cluster,
        names.SYNC: order.sync_id,
        names.COMMIT: revision.commit,
    }
    with telemetry.span(names.SPAN_APPLY, parent=order.origin, attributes=attributes) as span:
        try:
            yield ended.append
        finally:
            outcome = ended[0].value if ended else sync.Outcome.ABORTED.value
            span.set_attribute(names.OUTCOME, outcome)
            _syncs.labels(chronicle.application.cluster, outcome).inc()
            log.info(
                "synced",
                application=chronicle.application.application,
                cluster=chronicle.application.cluster,
                sync=order.sync_id,
                trigger=order.trigger.value,
                attempt=order.attempt,
                commit=revision.commit,
                outcome=outcome,
            )
