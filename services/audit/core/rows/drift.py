"""Rows of how clusters differed."""

from typing import ClassVar

from services.audit.core.leaf import Rank
from services.audit.core.rows.row import Json, Row
from services.audit.core.values import value


@value
class DriftEpisode(Row):
    """One object's drift from its first observation to its end; the last observation's details stand here too."""

    TABLE: ClassVar[str] = "drift_episode"
    KEY: ClassVar[tuple[str, ...]] = ("episode",)
    KEPT: ClassVar[bool] = False
    episode: str
    cluster: str
    application: str
    object: str
    verdict: str
    phase: str
    opened_leaf: int
    opened_us: int
    last_leaf: int
    last_us: int
    last_rank: Rank
    resolved_leaf: int | None = None
    resolved_us: int | None = None
    observations: int = 1
    source: str
    commit: str
    desired_digest: str
    live_digest: str
    patch: Json
    managers: Json
    failure: Json


@value
class DriftObservation(Row):
    """One observation of a drift."""

    TABLE: ClassVar[str] = "drift_observation"
    leaf: int
    recorded_us: int
    time_us: int
    episode: str
    cluster: str
    application: str
    object: str
    verdict: str
    phase: str
    source: str
    commit: str
    desired_digest: str
    live_digest: str
    live_version: str
    patch: Json
    managers: Json
    failure: Json
