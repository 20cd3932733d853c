"""Episodes: the story of one object's difference from Git, from `opened` over `changed` to `resolved`.

A fold over verdicts. What was said last is the state; a verdict that says nothing new says nothing. `unknown` neither
opens as drift would nor resolves: it is an episode of its own kind, since "could not look" must be told too, and an
open episode survives it.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from decklog.model import objects
from services.reconcile.core import compare


class Phase(StrEnum):
    """Where an episode stands."""

    OPENED = "opened"
    CHANGED = "changed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Episode:
    """What was last said about an object that is not in sync: the state kept between verdicts.

    Attributes:
        id: the same from opened to resolved.
        fingerprint: of the content last told; another means `changed`.
        drifted: whether a difference is known, as opposed to only not having been able to look.
    """

    id: str
    verdict: compare.Verdict
    fingerprint: str
    drifted: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """What is to be recorded: the phase and the comparison it comes from. `episode` is the state afterwards."""

    phase: Phase
    episode_id: str
    comparison: compare.Comparison
    episode: Episode | None


def observe(application: str, previous: Episode | None, comparison: compare.Comparison) -> Observation | None:
    """What a new verdict adds to the story; None when it adds nothing.

    Args:
        application: `cluster/application`; part of the episode's id.
        previous: the object's open episode, if any.
        comparison: the new verdict.
    """
    if comparison.verdict is compare.Verdict.IN_SYNC:
        return None if previous is None else Observation(Phase.RESOLVED, previous.id, comparison, None)
    told = _told(comparison)
    if previous is not None and previous.fingerprint == told:
        return None
    episode_id = previous.id if previous else episode_id_of(application, comparison)
    phase = Phase.CHANGED if previous else Phase.OPENED
    drifted = comparison.verdict is not compare.Verdict.UNKNOWN or (previous is not None and previous.drifted)
    return Observation(phase, episode_id, comparison, Episode(episode_id, comparison.verdict, told, drifted))


def gone(previous: Episode | None, key: objects.ObjectKey) -> Observation | None:
    """The end of the story of an object that is neither wanted nor there: pruned, or no longer ours to judge."""
    if previous is None:
        return None
    settled = compare.Comparison(key=key, verdict=compare.Verdict.IN_SYNC)
    return Observation(Phase.RESOLVED, previous.id, settled, None)


def episode_id_of(application: str, opening: compare.Comparison) -> str:
    """An episode's id: hex, from the application, the object and the two versions that first differed.

    Whoever opens it again from the same two versions after a crash gives it the same id.
    """
    versions = (opening.uid, opening.live_resource_version, opening.desired_digest)
    blind = opening.verdict is compare.Verdict.UNKNOWN
    return hashlib.sha256(repr((application, str(opening.key), *versions, blind)).encode()).hexdigest()[:32]


def fingerprint(verdict: compare.Verdict, desired_digest: str, live_digest: str, reason: str) -> str:
    """What makes two verdicts tell the same: not the resourceVersion, which moves with every status, nor the wording of
    an error: an API server lists the same complaints in another order each time, or only the first of them.
    """
    return hashlib.sha256(repr((verdict.value, desired_digest, live_digest, reason)).encode()).hexdigest()


def _told(comparison: compare.Comparison) -> str:
    return fingerprint(
        comparison.verdict,
        comparison.desired_digest,
        comparison.live_digest,
        comparison.reason,
    )
