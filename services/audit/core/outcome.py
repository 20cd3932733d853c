"""What became of a command: recorded, then synced, then healthy; or why it will not be.

Decided from what is projected now, so a caller may ask again after any restart.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Until(Enum):
    """What a caller waits for."""

    RECORDED = "recorded"
    SYNCED = "synced"
    HEALTHY = "healthy"


class Stage(Enum):
    """How far a command came."""

    PENDING = "pending"
    RECORDED = "recorded"
    SYNCED = "synced"
    HEALTHY = "healthy"
    FAILED = "failed"


_ORDER = (Stage.PENDING, Stage.RECORDED, Stage.SYNCED, Stage.HEALTHY)
_WANTED = {Until.RECORDED: Stage.RECORDED, Until.SYNCED: Stage.SYNCED, Until.HEALTHY: Stage.HEALTHY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """The sync that answers the command, as far as it came. `outcome` is empty while it runs."""

    sync_id: str
    outcome: str
    failure: dict[str, Any] | None
    finished_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is projected of the command's application. `leaf` is None until the command itself is projected.

    Its failures are those that stand now: of the newest commit, which need not be the one that was asked for.
    """

    leaf: int | None
    application: str = ""
    mode: str = ""
    requested: bool = False
    """True if the command asks for a sync whatever the mode."""
    commit_known: bool = True
    """False while there is no commit that could be synced: none was named, and none is available."""
    sync: Sync | None = None
    sync_status: str = ""
    render_failure: dict[str, Any] | None = None
    source_failure: dict[str, Any] | None = None
    cluster_failure: dict[str, Any] | None = None
    health: str = ""
    health_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How far it came, and why it goes no further."""

    stage: Stage
    failure: dict[str, Any] | None = None
    sync_id: str = ""

    def reached(self, until: Until) -> bool:
        """True if there is nothing more to wait for: it came true, or it never will."""
        return self.stage is Stage.FAILED or _ORDER.index(self.stage) >= _ORDER.index(_WANTED[until])


def decide(now: Standing, until: Until) -> Outcome:
    """How far the command came."""
    if now.leaf is None:
        return Outcome(stage=Stage.PENDING)
    if until is Until.RECORDED or not now.application:
        return Outcome(stage=Stage.RECORDED)
    if now.sync is None:
        return _before_sync(now)
    return _with_sync(now, now.sync)


def _before_sync(now: Standing) -> Outcome:
    hopeless = _hopeless(now)
    if hopeless is not None:
        return Outcome(stage=Stage.FAILED, failure=hopeless)
    if not now.requested and now.mode in ("off", "detect"):
        return Outcome(
            stage=Stage.FAILED,
            failure={
                "reason": "NothingIsApplied",
                "message": f"application {now.application} has mode {now.mode}, in which nothing is synced by itself",
                "hint": "Ask for a sync with `decklog app sync`, or declare mode apply or heal",
            },
        )
    if not now.requested and now.sync_status == "in_sync":
        return Outcome(stage=_health(now))  # everything was as desired before anything had to be written
    return Outcome(stage=Stage.RECORDED)


def _hopeless(now: Standing) -> dict[str, Any] | None:
    """Why no sync will come. A request is answered by a sync of its own, also where its commit cannot be rendered."""
    if not now.requested:
        return now.render_failure or now.source_failure or now.cluster_failure
    return now.cluster_failure or (None if now.commit_known else now.source_failure)


def _with_sync(now: Standing, sync: Sync) -> Outcome:
    if sync.outcome == "succeeded":
        return Outcome(stage=_health(now), sync_id=sync.sync_id)
    if sync.outcome == "failed":
        return Outcome(stage=Stage.FAILED, failure=sync.failure or _unexplained(), sync_id=sync.sync_id)
    return Outcome(stage=Stage.RECORDED, sync_id=sync.sync_id)  # it runs, or its next owner goes on


def _health(now: Standing) -> Stage:
    return Stage.HEALTHY if now.health == "healthy" else Stage.SYNCED


def _unexplained() -> dict[str, Any]:
    return {"reason": "SyncFailed", "message": "the sync failed", "hint": "See `decklog app get` for its objects"}
