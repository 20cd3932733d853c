"""The shape of the API's answers, as far as a client relies on it. Fields that are not listed may come, too.

Times are integer microseconds since the epoch; commits are full object ids; objects are `group/Kind/namespace/name`.
The projections of `services.audit` name the fields.
"""

from typing import Any, NotRequired, TypedDict


class Failure(TypedDict):
    """Why something could not be done: what, what next, and where to blame."""

    reason: str
    message: str
    hint: str
    file: NotRequired[str]
    line: NotRequired[int]
    object: NotRequired[str]
    refs: NotRequired[list[str]]


class Origin(TypedDict):
    """Where something was declared: `way` is `git` or `api`; without a request it is a setting of a service."""

    way: str
    request_id: NotRequired[str]
    source: NotRequired[str]
    commit: NotRequired[str]
    file: NotRequired[str]
    line: NotRequired[int]


class Coordinates(TypedDict):
    """Where Kafka keeps an event."""

    topic: str
    partition: int
    offset: int


class Accepted(TypedDict):
    """A command was recorded (202)."""

    event_id: str
    coordinates: Coordinates


class Application(TypedDict):
    """An application now."""

    name: str
    cluster: str
    spec: dict[str, Any]
    origin: Origin
    actor: str
    available_commit: str
    rendered_commit: str
    """The newest one that could be rendered; empty while there is none."""
    synced_commit: str
    sync_status: str
    synced_us: int | None
    sync_id: str
    sync_outcome: str
    sync_us: int | None
    health: str
    health_reason: str
    health_message: str
    health_us: int | None
    objects: int
    modified: int
    missing: int
    extra: int
    unknown: int
    failures: dict[str, Failure]
    source_failure: Failure | None
    cluster_failure: Failure | None


class ApplicationObject(TypedDict):
    """One object of an application now: desired, live or both."""

    object: str
    verdict: str
    health: str
    health_reason: str
    health_message: str
    file: str
    line: int
    episode: str
    outcome: str
    failure: Failure | None


class Refusal(TypedDict):
    """A declaration that does not count, until a valid one of the same name comes."""

    kind: str
    name: str
    failure: Failure | None


class Cluster(TypedDict):
    """A declared cluster."""

    name: str
    spec: dict[str, Any]
    origin: Origin
    confirmed_uid: str
    seen_uid: str


class Source(TypedDict):
    """A declared repository."""

    name: str
    spec: dict[str, Any]
    origin: Origin
    moved_us: int | None
    failure: Failure | None
    failed_us: int | None
    attempts: int


class Moment(TypedDict):
    """One line of the timeline."""

    leaf: int
    recorded_us: int
    time_us: int
    kind: str
    level: str
    cluster: str
    application: str
    object: str
    source: str
    actor: str
    summary: str
    event_id: str | None


class Timeline(TypedDict):
    """Lines of the timeline, newest first. What is not recorded yet will have the leaf `before_leaf` or a later one."""

    items: list[Moment]
    before_leaf: int


class Manager(TypedDict):
    """A field manager, when it last wrote, and the fields in question."""

    manager: str
    operation: str
    subresource: str
    time_us: int
    fields: list[str]


class Episode(TypedDict):
    """One object's drift from its first observation to its end."""

    episode: str
    cluster: str
    application: str
    object: str
    verdict: str
    phase: str
    opened_leaf: int
    opened_us: int
    last_us: int
    resolved_us: int | None
    observations: int
    source: str
    commit: str
    patch: list[dict[str, Any]] | None
    managers: list[Manager] | None
    failure: Failure | None


class Version(TypedDict):
    """One object as of a moment."""

    object: str
    cluster: str
    application: str
    valid_from: int
    resource_version: int
    leaf: int
    digest: str
    body: dict[str, Any] | None
    """Masked; None where it is not known."""


class Unwatched(TypedDict):
    """An application whose objects nobody watched any more; `why`: `removed` or `off`."""

    application: str
    since_us: int
    why: str


class State(TypedDict):
    """The objects as of a moment, and whose of them may be out of date."""

    items: list[Version]
    unwatched: list[Unwatched]


class Sync(TypedDict):
    """A sync. `cause`: id of the event that led to it; what that says is None until it is recorded."""

    sync_id: str
    trigger: str
    actor: str
    reason: str
    outcome: str
    cause: str
    cause_leaf: int | None
    cause_kind: str | None
    cause_summary: str | None


class SyncObject(TypedDict):
    """What became of one object in a sync."""

    object: str
    outcome: str
    failure: Failure | None


class SyncDetail(Sync):
    """A sync with the objects that it touched."""

    object_list: list[SyncObject]


class Payload(TypedDict):
    """What a leaf commits to."""

    length: int
    sha256: str | None
    erased: bool


class Event(TypedDict):
    """One leaf of the ledger: what was said, and the proof's ingredients."""

    id: str
    type: str
    kind: str
    leaf: int
    leaf_hash: str
    time_us: int
    recorded_us: int
    source: str
    subject: str
    key: str
    receipt: dict[str, Any]
    payload: Payload
    data: dict[str, Any] | None
    cause: Moment | None
    """What led to the sync that this event belongs to, where it belongs to one."""


class Outcome(TypedDict):
    """What became of a command."""

    stage: str
    reached: bool
    failure: Failure | None
    sync_id: str


class ApplicationDetail(Application):
    """An application with its objects and its newest syncs."""

    object_list: list[ApplicationObject]
    syncs: list[Sync]
    refusal: Refusal | None
    """A declaration of the same name that does not count."""


class EpisodeDetail(Episode):
    """One episode with its observations."""

    observation_list: list[dict[str, Any]]
