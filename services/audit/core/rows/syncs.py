"""Rows of what was done in clusters."""

from typing import ClassVar

from services.audit.core.rows.row import Json, Row
from services.audit.core.values import value


@value
class Sync(Row):
    """A sync from its start to its end; `outcome` is empty while it runs."""

    TABLE: ClassVar[str] = "sync"
    KEY: ClassVar[tuple[str, ...]] = ("sync_id",)
    KEPT: ClassVar[bool] = False
    sync_id: str
    cluster: str
    application: str
    trigger: str
    actor: str
    actor_kind: str
    reason: str
    source: str
    ref: str
    commit: str
    desired_digest: str = ""
    attempt: int = 0
    dry_run: bool = False
    cause: str = ""
    to_apply: int = 0
    to_prune: int = 0
    started_leaf: int | None = None
    started_us: int | None = None
    outcome: str = ""
    finished_leaf: int | None = None
    finished_us: int | None = None
    duration_us: int | None = None
    created: int = 0
    configured: int = 0
    pruned: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    inventory_digest: str = ""
    failure: Json = None


@value
class SyncObject(Row):
    """What became of one object in a sync."""

    TABLE: ClassVar[str] = "sync_object"
    leaf: int
    recorded_us: int
    time_us: int
    sync_id: str
    cluster: str
    application: str
    object: str
    outcome: str
    dry_run: bool
    before_digest: str
    after_digest: str
    before_version: str
    after_version: str
    overridden: Json
    failure: Json
