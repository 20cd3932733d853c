"""Drift: every observation, and the episode it belongs to."""

from collections.abc import Iterable, Iterator

from decklog.events.v1 import drift_pb2
from services.audit.core import rows, wording
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.rows import replace
from services.audit.core.view import AnyNeed, Need, Unplaceable, View


def needs(leaf: Leaf) -> Iterable[AnyNeed]:
    """The episode's row."""
    match leaf.message:
        case drift_pb2.DriftObserved(episode=episode):
            return [Need(rows.DriftEpisode, (episode,))]
        case _:
            return []


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:
    """The observation is a fact; the episode shows the newest one, when it began and when it ended."""
    match leaf.message:
        case drift_pb2.DriftObserved(episode="") as message:
            raise Unplaceable(f"the drift of {wording.object_key(message.object)} names no episode")
        case drift_pb2.DriftObserved() as message:
            observation = _observation(leaf, message)
            yield observation
            yield _episode(view.get(rows.DriftEpisode, message.episode), leaf, observation)


def _observation(leaf: Leaf, message: drift_pb2.DriftObserved) -> rows.DriftObservation:
    try:
        patch = wording.json_value(message.patch)
    except wording.NotJson as error:
        raise Unplaceable(f"patch: {error}") from error
    return rows.DriftObservation(
        leaf=leaf.index,
        recorded_us=leaf.recorded_us,
        time_us=leaf.time_us,
        episode=message.episode,
        cluster=message.application.cluster,
        application=message.application.application,
        object=wording.object_name(message.object),
        verdict=wording.word(message, "verdict"),
        phase=wording.word(message, "phase"),
        source=message.revision.source,
        commit=message.revision.commit,
        desired_digest=message.desired_digest,
        live_digest=message.live_digest,
        live_version=message.live_resource_version,
        patch=patch,
        managers=wording.managers(message.managers),
        failure=wording.failure(message),
    )


def _episode(known: rows.DriftEpisode | None, leaf: Leaf, seen: rows.DriftObservation) -> rows.DriftEpisode:
    if known is None:
        return _ended(_opened(leaf, seen), leaf, seen)
    if leaf.rank < known.last_rank:
        return replace(known, observations=known.observations + 1)
    newest = replace(
        known,
        phase=seen.phase,
        last_leaf=leaf.index,
        last_us=leaf.time_us,
        last_rank=leaf.rank,
        observations=known.observations + 1,
    )
    return _ended(newest if seen.phase == "resolved" else _detailed(newest, seen), leaf, seen)


def _opened(leaf: Leaf, seen: rows.DriftObservation) -> rows.DriftEpisode:
    return rows.DriftEpisode(
        episode=seen.episode,
        cluster=seen.cluster,
        application=seen.application,
        object=seen.object,
        verdict=seen.verdict,
        phase=seen.phase,
        opened_leaf=leaf.index,
        opened_us=leaf.time_us,
        last_leaf=leaf.index,
        last_us=leaf.time_us,
        last_rank=leaf.rank,
        source=seen.source,
        commit=seen.commit,
        desired_digest=seen.desired_digest,
        live_digest=seen.live_digest,
        patch=seen.patch,
        managers=seen.managers,
        failure=seen.failure,
    )


def _detailed(episode: rows.DriftEpisode, seen: rows.DriftObservation) -> rows.DriftEpisode:
    """The episode keeps telling how the object differed, also after it ended: only a later difference replaces it."""
    return replace(
        episode,
        verdict=seen.verdict,
        source=seen.source,
        commit=seen.commit,
        desired_digest=seen.desired_digest,
        live_digest=seen.live_digest,
        patch=seen.patch,
        managers=seen.managers,
        failure=seen.failure,
    )


def _ended(episode: rows.DriftEpisode, leaf: Leaf, seen: rows.DriftObservation) -> rows.DriftEpisode:
    if seen.phase != "resolved":
        return replace(episode, resolved_leaf=None, resolved_us=None)
    return replace(episode, resolved_leaf=leaf.index, resolved_us=leaf.time_us)


PROJECTION = Projection("drift", needs, fold, frozenset({drift_pb2.DriftObserved}))
