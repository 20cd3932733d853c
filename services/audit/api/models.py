"""What the API takes and gives, for validation and OpenAPI. Answers carry the fields of the projections' rows."""

from dataclasses import fields
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from services.audit.api import complaints
from services.audit.core import rows


def _of(name: str, row: type[rows.Row], **more: Any) -> type[BaseModel]:
    """A model with the fields of a row class (ranks left out), and more."""
    hints = get_type_hints(row)
    shown = {one.name: (hints[one.name], ...) for one in fields(row) if not one.name.endswith("_rank")}
    made: type[BaseModel] = create_model(name, __doc__=row.__doc__, **{**shown, **more})
    return made


def _list_of(name: str, item: type[BaseModel], **more: Any) -> type[BaseModel]:
    made: type[BaseModel] = create_model(name, items=(list[item], ...), **more)  # type: ignore[valid-type]
    return made


Application = _of("Application", rows.Application, source_failure=(Any, None), cluster_failure=(Any, None))
ApplicationObject = _of("ApplicationObject", rows.ApplicationObject)
_CAUSE: Any = {"cause_leaf": (int | None, None), "cause_kind": (str | None, None), "cause_summary": (str | None, None)}
"""What the event that led to a sync says, where it is recorded."""

Sync = _of("Sync", rows.Sync, **_CAUSE)
SyncObject = _of("SyncObject", rows.SyncObject)
Cluster = _of("Cluster", rows.Cluster)
Source = _of("Source", rows.Source)
Moment = _of("Moment", rows.Moment)
Episode = _of("Episode", rows.DriftEpisode)
Observation = _of("Observation", rows.DriftObservation)
Refusal = _of("Refusal", rows.Refusal)
Notice = _of("Notice", rows.Notice)

ApplicationDetail = _of(
    "ApplicationDetail",
    rows.Application,
    source_failure=(Any, None),
    cluster_failure=(Any, None),
    object_list=(list[ApplicationObject], ...),  # type: ignore[valid-type]
    syncs=(list[Sync], ...),  # type: ignore[valid-type]
    refusal=(Refusal | None, None),
)
SyncDetail = _of("SyncDetail", rows.Sync, **_CAUSE, object_list=(list[SyncObject], ...))  # type: ignore[valid-type]
EpisodeDetail = _of("EpisodeDetail", rows.DriftEpisode, observation_list=(list[Observation], ...))  # type: ignore[valid-type]

Applications = _list_of("Applications", Application)
Clusters = _list_of("Clusters", Cluster)
Sources = _list_of("Sources", Source)
Refusals = _list_of("Refusals", Refusal)
Moments = _list_of("Moments", Moment, next=(int | None, None), before_leaf=(int, ...))
Episodes = _list_of("Episodes", Episode, next=(int | None, None))
Notices = _list_of("Notices", Notice, next=(int | None, None))


class Version(BaseModel):
    """One object as of a moment; `body` is masked, and None where it is not known."""

    object: str
    cluster: str
    application: str
    uid: str
    api_version: str
    resource_version: int
    generation: int
    valid_from: int
    observed_us: int
    changed_us: int
    leaf: int
    digest: str
    body: dict[str, Any] | None


class Unwatched(BaseModel):
    """An application whose objects nobody watched any more: it was removed, or its mode is `off`."""

    application: str
    since_us: int
    why: Literal["removed", "off"]


class State(BaseModel):
    """The objects as of `at_us`, from the leaves before `before_leaf`.

    What became of the objects of `unwatched` applications since is not known; they may have none.
    """

    at_us: int
    before_leaf: int
    unwatched: list[Unwatched]
    items: list[Version]


class Coordinates(BaseModel):
    """Where Kafka keeps an event."""

    topic: str
    partition: int
    offset: int


class Accepted(BaseModel):
    """A command was recorded."""

    event_id: str
    coordinates: Coordinates


class Payload(BaseModel):
    """What the leaf commits to."""

    length: int
    sha256: str | None
    erased: bool


class Event(BaseModel):
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
    headers: dict[str, str]
    data: dict[str, Any] | None
    cause: Moment | None = Field(  # type: ignore[valid-type]
        default=None, description="what led to the sync that this event belongs to, where it belongs to one"
    )


class Rung(BaseModel):
    """How far one step of the record is."""

    name: str
    size: int
    behind: int


class TopicLag(BaseModel):
    """Records of one topic that are not sequenced yet."""

    topic: str
    behind: int


class Service(BaseModel):
    """When a service last said something."""

    name: str
    events: int
    last_leaf: int
    last_us: int


class NoticeCount(BaseModel):
    """How many leaves of a kind an operator should hear of, and the newest."""

    kind: str
    count: int
    last_leaf: int
    last_us: int


class Status(BaseModel):
    """How far the ledger and what is read from it are, and what is wrong with what came."""

    rungs: list[Rung]
    topics: list[TopicLag]
    services: list[Service]
    notices: list[NoticeCount]
    unplaced: int
    waiting: dict[str, str]


class Log(BaseModel):
    """The published log: its name, the keys to check it with, and how many leaves its newest checkpoint has.

    `vkey` is the key that goes on to sign; `rotated` the leaf from which on it does, and `beside` the one that signs,
    too, until the overlap is over.
    """

    origin: str
    vkey: str
    mldsa44_vkey: str | None
    beside: str | None
    rotated: int | None
    size: int
    minimum_index: int


class Outcome(BaseModel):
    """What became of a command."""

    stage: str
    reached: bool
    failure: dict[str, Any] | None
    sync_id: str


class Asked(BaseModel):
    """What callers send; a field that does not exist is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class CreateApplication(Asked):
    """An application to declare. `spec` has the fields of a document; `repo` reuses or declares a source."""

    name: str = Field(description="DNS label, unique per installation", max_length=63)
    spec: dict[str, Any] = Field(description="as in a fleet document: path, destCluster, mode, prune …")
    repo: str | None = Field(default=None, description="URL or absolute path; instead of spec.source", max_length=2000)
    reason: str = Field(default="", max_length=1000)


class ChangeApplication(Asked):
    """An application as it is to be from now on."""

    spec: dict[str, Any]
    reason: str = Field(default="", max_length=1000)


class AlterApplication(Asked):
    """What of an application is to be otherwise from now on."""

    spec: dict[str, Any] = Field(description="fields as in a fleet document; null gives one its default again")
    reason: str = Field(default="", max_length=1000)


class ConfirmCluster(Asked):
    """A cluster whose new identity is meant."""

    uid: str = Field(
        default="",
        max_length=64,
        description="uid of its kube-system namespace, to be sure; empty = whichever it is now",
    )
    reason: str = Field(default="", max_length=1000)


class RequestSync(Asked):
    """A sync to run now, whatever the mode."""

    commit: str = Field(default="", pattern=complaints.COMMIT, description="commit or unique prefix; empty = newest")
    prune: bool = False
    dry_run: bool = Field(default=False, alias="dryRun")
    reason: str = Field(default="", max_length=1000)
