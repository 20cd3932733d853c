"""Rows of the record itself: what was said, by whom, and what is odd about it."""

from typing import ClassVar

from services.audit.core.rows.row import Json, Row
from services.audit.core.values import value


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
