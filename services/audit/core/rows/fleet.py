"""Rows of what is declared, and how it stands now."""

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar

from services.audit.core.leaf import UNRANKED, Rank
from services.audit.core.rows.row import Json, Row
from services.audit.core.values import value


@value
class Cluster(Row):
    """A cluster that applications are delivered to, and which one its name stands for."""

    TABLE: ClassVar[str] = "cluster"
    KEY: ClassVar[tuple[str, ...]] = ("name",)
    KEPT: ClassVar[bool] = False
    name: str
    declared: bool | None = None
    spec: Json = None
    origin: Json = None
    actor: str = ""
    reason: str = ""
    declared_leaf: int | None = None
    declared_us: int | None = None
    confirmed_uid: str = ""
    seen_uid: str = ""
    updated_leaf: int


@value
class ClusterIdentity(Row):
    """From `from_us` on, the name of the cluster stood for this uid of `kube-system`."""

    TABLE: ClassVar[str] = "cluster_identity"
    leaf: int
    recorded_us: int
    cluster: str
    uid: str
    from_us: int


@value
class Application(Row):
    """An application now: what is declared, what was rendered and synced, how it compares, and how it is.

    `compared_digest` is the desired state that was compared as a whole last: by a comparison, which counted
    `compared_in_sync` objects, or by a sync that ended well, which leaves none that are not. `compared_settings` names
    the declaration under which that was, `settings_digest` the one that counts now.
    """

    TABLE: ClassVar[str] = "application"
    KEY: ClassVar[tuple[str, ...]] = ("name",)
    KEPT: ClassVar[bool] = False
    name: str
    cluster: str = ""
    declared: bool | None = None
    spec: Json = None
    origin: Json = None
    actor: str = ""
    reason: str = ""
    declared_leaf: int | None = None
    declared_us: int | None = None
    settings_digest: str = ""
    available_commit: str = ""
    available_sequence: int = 0
    rendered_commit: str = ""
    rendered_digest: str = ""
    rendered_leaf: int | None = None
    rendered_rank: Rank = UNRANKED
    compared_digest: str = ""
    compared_in_sync: int | None = None
    compared_settings: str = ""
    compared_rank: Rank = UNRANKED
    objects: int = 0
    pending: int = 0
    modified: int = 0
    missing: int = 0
    extra: int = 0
    unknown: int = 0
    sync_status: str = "unknown"
    synced_commit: str = ""
    synced_us: int | None = None
    sync_id: str = ""
    sync_outcome: str = ""
    sync_us: int | None = None
    sync_rank: Rank = UNRANKED
    health: str = "unknown"
    health_reason: str = ""
    health_message: str = ""
    health_us: int | None = None
    health_rank: Rank = UNRANKED
    failures: Mapping[str, Json] = field(default_factory=dict)
    updated_leaf: int
    updated_us: int


@value
class ApplicationObject(Row):
    """One object of an application now: desired, live or both. `verdict` is empty until it was compared."""

    TABLE: ClassVar[str] = "application_object"
    KEY: ClassVar[tuple[str, ...]] = ("cluster", "application", "object")
    KEPT: ClassVar[bool] = False
    GROUP: ClassVar[int] = 2
    cluster: str
    application: str
    object: str
    desired_digest: str = ""
    file: str = ""
    line: int = 0
    live_digest: str = ""
    live_uid: str = ""
    live_cluster: str = ""
    live_version: int = 0
    verdict: str = ""
    verdict_rank: Rank = UNRANKED
    episode: str = ""
    health: str = ""
    health_reason: str = ""
    health_message: str = ""
    health_rank: Rank = UNRANKED
    outcome: str = ""
    sync_id: str = ""
    failure: Json = None
    updated_leaf: int
    updated_us: int


@value
class Rendering(Row):
    """A desired state at a commit: which objects, from which files."""

    TABLE: ClassVar[str] = "rendering"
    leaf: int
    recorded_us: int
    time_us: int
    cluster: str
    application: str
    source: str
    ref: str
    commit: str
    renderer: str
    renderer_version: str
    digest: str
    objects: Json
    warnings: Json
