"""What the API says of the record itself: how far it is, what troubles it, its log and keys, erasures and legal holds.

As in `answers`: the shape as far as a client relies on it.
"""

from typing import TypedDict

from decklog.client import answers


class Rung(TypedDict):
    """How far one step of the record is: `behind` leaves or records are still to come."""

    name: str
    size: int
    behind: int


class TopicLag(TypedDict):
    """Records of one topic that are not sequenced yet."""

    topic: str
    behind: int


class Service(TypedDict):
    """When a service last said something."""

    name: str
    events: int
    last_leaf: int
    last_us: int


class Notice(TypedDict):
    """A leaf that tells of trouble with what came by Kafka: `kind`, and why."""

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


class NoticeCount(TypedDict):
    """How many notices of a kind there are, and the newest."""

    kind: str
    count: int
    last_leaf: int
    last_us: int


class Status(TypedDict):
    """How far the ledger and what is read from it are. `waiting`: what a part of the server waits for."""

    rungs: list[Rung]
    topics: list[TopicLag]
    services: list[Service]
    notices: list[NoticeCount]
    unplaced: int
    waiting: dict[str, str]


class Log(TypedDict):
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


class Erasable(TypedDict):
    """A leaf whose payload would go; `kind` is event, conflict or poison, `roles` say as what it names the subject."""

    leaf: int
    kind: str
    event_id: str
    source: str
    type: str
    time_us: int
    roles: list[str]


class ErasurePreview(TypedDict):
    """What would go, of the leaves before `next`; `unreadable` could not be searched."""

    items: list[Erasable]
    unreadable: list[int]
    next: int | None
    size: int


class Copy(TypedDict):
    """A place that holds copies, and when the last is gone; None where nothing removes them."""

    where: str
    gone_us: int | None


class ErasureAccepted(answers.Accepted):
    """A request to erase, and the copies that are left elsewhere."""

    copies: list[Copy]


class RotationAccepted(answers.Accepted):
    """A step of the change of the log's key: who signs from its leaf on, beside whom, and who no longer does."""

    vkey: str
    beside: str
    retired: str


class Erasure(TypedDict):
    """What became of a request: `pending`, `refused`, `erased`."""

    stage: str
    leaf: int | None


class Hold(TypedDict):
    """A legal hold that stands."""

    hold: str
    leaf: int
    placed_us: int
    actor: str
    reason: str
