"""The rows of the projections: one frozen class per table of schema `audit`, and what identifies a row in it.

Times are integer microseconds since the epoch; documents are JSON values that Postgres keeps as `jsonb`. Field order is
column order. A row class says in `KEY` which fields identify it, in `KEPT` whether the first row of a key stays for
ever (facts that are appended) or the newest replaces it (folds of what happened so far), and in `GROUP` how many
leading fields of the key name the group of rows that folds look at together.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar

from services.audit.core.leaf import UNRANKED, Rank
from services.audit.core.values import value

Json = Any
Key = tuple[Any, ...]
R = TypeVar("R", bound="Row")


@value
class Row:
    """One row of a projection."""

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]] = ("leaf",)
    KEPT: ClassVar[bool] = True
    GROUP: ClassVar[int] = 1

    @property
    def key(self) -> Key:
        """The values of the identifying fields."""
        return _KEYS[type(self)](self)


@dataclass(frozen=True, slots=True)
class Gone:
    """The effect of removing a row."""

    row: type[Row]
    key: Key


Effect = Row | Gone


@value
class Commit(Row):
    """A commit of a followed history, as Git tells it."""

    TABLE: ClassVar[str] = "commit"
    KEY: ClassVar[tuple[str, ...]] = ("source", "commit")
    source: str
    commit: str
    leaf: int
    recorded_us: int
    tree: str
    parents: Sequence[str]
    author_name: str
    author_email: str
    authored_us: int
    committer_name: str
    committer_email: str
    committed_us: int
    message: str
    signed: bool
    trailers: Json
    changes: Json
    changes_total: int


@value
class RefMove(Row):
    """A followed ref pointed elsewhere."""

    TABLE: ClassVar[str] = "ref_move"
    leaf: int
    recorded_us: int
    time_us: int
    source: str
    ref: str
    old: str
    new: str
    forced: bool
    deleted: bool
    sequence: int
    new_commits: int


@value
class Source(Row):
    """A repository that is followed, or was. `declared` is None while only its events are known."""

    TABLE: ClassVar[str] = "source"
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
    failure: Json = None
    failed_us: int | None = None
    attempts: int = 0
    moved_us: int | None = None
    updated_leaf: int


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


@value
class LiveObject(Row):
    """An object's name in one cluster, and the id its versions refer to."""

    TABLE: ClassVar[str] = "live_object"
    KEY: ClassVar[tuple[str, ...]] = ("object_id",)
    object_id: str
    cluster: str
    cluster_uid: str
    object_group: str
    kind: str
    namespace: str
    name: str
    first_leaf: int


@value
class ObjectVersion(Row):
    """A point from which an object was so, or gone. See `projections.versions` for `valid_from`."""

    TABLE: ClassVar[str] = "object_version"
    KEY: ClassVar[tuple[str, ...]] = ("object_id", "resource_version", "leaf")
    object_id: str
    resource_version: int
    leaf: int
    valid_from: int
    observed_us: int
    changed_us: int
    recorded_us: int
    cluster: str
    application: str
    uid: str
    api_version: str = ""
    generation: int = 0
    digest: str = ""
    gone: bool = False
    inferred: bool = False
    managers: Json = None


@value
class Body(Row):
    """A masked, normalised object, once per digest; `canonical` is exactly what the digest is of."""

    TABLE: ClassVar[str] = "body"
    KEY: ClassVar[tuple[str, ...]] = ("digest",)
    digest: str
    canonical: bytes
    first_leaf: int


@value
class WatchGap(Row):
    """A time in which versions of a kind may have been missed."""

    TABLE: ClassVar[str] = "watch_gap"
    leaf: int
    recorded_us: int
    time_us: int
    cluster: str
    cluster_uid: str
    object_group: str
    kind: str
    namespace: str
    from_version: str
    to_version: str
    reason: str


@value
class Refusal(Row):
    """A declaration that does not count, until a valid one of that kind and name replaces it."""

    TABLE: ClassVar[str] = "refusal"
    KEY: ClassVar[tuple[str, ...]] = ("kind", "name")
    KEPT: ClassVar[bool] = False
    kind: str
    name: str
    leaf: int
    recorded_us: int
    origin: Json
    actor: str
    failure: Json


@value
class Moment(Row):
    """One line of the timeline.

    `actor` is who did it: a principal, or the author of a commit. Of what was seen in a cluster (`ObjectChanged`,
    `DriftObserved`) it holds the last field managers, which may be others than those who did it: all that wrote in the
    newest second or at a time that the API server did not keep, sorted and joined by a comma.
    """

    TABLE: ClassVar[str] = "timeline"
    leaf: int
    recorded_us: int
    time_us: int
    kind: str
    level: str
    cluster: str = ""
    application: str = ""
    object: str = ""
    source: str = ""
    actor: str = ""
    summary: str
    event_id: str | None = None


@value
class Access(Row):
    """A request or a login that was refused."""

    TABLE: ClassVar[str] = "access"
    leaf: int
    recorded_us: int
    time_us: int
    kind: str
    actor: str
    service: str
    method: str
    route: str
    reason: str
    peer: str
    count: int


@value
class Speaker(Row):
    """A service, and when it last said something."""

    TABLE: ClassVar[str] = "speaker"
    KEY: ClassVar[tuple[str, ...]] = ("service",)
    KEPT: ClassVar[bool] = False
    service: str
    events: int
    last_leaf: int
    last_us: int


@value
class Ownership(Row):
    """The right that stands in one partition of a topic of reconcile's: what comes under a smaller one is late."""

    TABLE: ClassVar[str] = "ownership"
    KEY: ClassVar[tuple[str, ...]] = ("log",)
    KEPT: ClassVar[bool] = False
    log: str
    topic_epoch: int
    claim_offset: int
    leaf: int
    time_us: int


@value
class Notice(Row):
    """A leaf that an operator should hear of: what came by Kafka was not as it must be.

    `kind` is `conflict`, `poison`, `gap`, `partition` (an event whose key belongs elsewhere), `clock` (an event from
    the future) or `late` (said by a member that had been replaced). `original` is the leaf that a conflict contradicts.
    """

    TABLE: ClassVar[str] = "notice"
    leaf: int
    recorded_us: int
    kind: str
    topic: str
    partition: int
    record_offset: int
    source: str
    event_id: str | None
    original: int | None
    reason: str


@value
class Unplaced(Row):
    """A leaf that a fold could not place, and why. The ledger holds it all the same."""

    TABLE: ClassVar[str] = "unplaced"
    KEY: ClassVar[tuple[str, ...]] = ("leaf", "projection")
    leaf: int
    projection: str
    recorded_us: int
    reason: str


ALL: tuple[type[Row], ...] = (
    Commit,
    RefMove,
    Source,
    Cluster,
    ClusterIdentity,
    Application,
    ApplicationObject,
    Rendering,
    Sync,
    SyncObject,
    DriftEpisode,
    DriftObservation,
    LiveObject,
    ObjectVersion,
    Body,
    WatchGap,
    Refusal,
    Moment,
    Access,
    Speaker,
    Ownership,
    Notice,
    Unplaced,
)


def _key(row: type[Row]) -> Callable[[Row], Key]:
    several: Callable[[Row], Key] = operator.attrgetter(*row.KEY)
    one = operator.attrgetter(row.KEY[0])
    return several if len(row.KEY) > 1 else lambda found: (one(found),)


_KEYS: Mapping[type[Row], Callable[[Row], Key]] = {row: _key(row) for row in ALL}
"""Made once: every row is asked for its key several times."""

COLUMNS: Mapping[type[Row], tuple[str, ...]] = {row: tuple(field.name for field in fields(row)) for row in ALL}

VALUES: Mapping[type[Row], Callable[[Row], tuple[Any, ...]]] = {
    row: operator.attrgetter(*columns) for row, columns in COLUMNS.items()
}
"""The values of a row, in the order of its columns."""


def replace(row: R, **changes: Any) -> R:
    """A row like this one but for some fields, as `dataclasses.replace` and several times as fast."""
    kind = type(row)
    values = dict(zip(COLUMNS[kind], VALUES[kind](row), strict=True))
    values.update(changes)
    return kind(**values)
