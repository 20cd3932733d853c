"""A leaf of the ledger as the folds see it: the receipt, and the decoded message or the fact that it was erased."""

import functools
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from services.audit.core.values import value

Rank = tuple[int, int, int]
"""(topic epoch, offset of the owner's `OwnershipTaken`, `ce_sequence`): larger is newer, whatever arrived first."""

UNRANKED: Rank = (0, 0, 0)

LATE = "late"
"""The kind of an event that its member said after it had been replaced; see `ownership`."""


@value
class Leaf:
    """One leaf.

    `kind` is the receipt's (`event`, `duplicate`, `conflict`, `poison`, `gap`, `erasure`, `rotation`), or `LATE`; the
    CloudEvents fields are empty where the receipt has none. `message` is None for every kind but `event`, and for an
    erased event. `log` names the partition of the topic that it came by, as `topic/partition`, and `offset` its place.
    """

    index: int
    recorded_us: int
    kind: str
    key: str = ""
    about: Mapping[str, Any] | None = None
    event_id: str = ""
    type: str = ""
    source: str = ""
    subject: str = ""
    time_us: int = 0
    sequence: int = 0
    log: str = ""
    offset: int = -1
    message: Message | None = None
    disregarded: Message | None = None
    """What a `LATE` leaf says, which no fold takes."""

    @property
    def erased(self) -> bool:
        """True if it was an event whose payload is gone."""
        return self.kind == "event" and self.message is None

    @property
    def scope(self) -> tuple[str, str]:
        """(cluster, application) of a key `cluster/application`; the application is empty for `cluster/@scope`."""
        return _scope_of(self.key)

    @property
    def rank(self) -> Rank:
        """How new this is among the events of its application."""
        fence = getattr(self.message, "fence", None)
        return (fence.topic_epoch, fence.offset, self.sequence) if fence is not None else (0, 0, self.sequence)


@functools.lru_cache(maxsize=1_024)
def _scope_of(key: str) -> tuple[str, str]:
    cluster, _, rest = key.partition("/")
    name = rest.partition("/")[0]
    return cluster, "" if name.startswith("@") else name
