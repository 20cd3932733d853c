"""The table of topics: what each is called, how it is keyed and kept, and what is wrong with one that exists.

Names are `<prefix>.<label>.v1`; the prefix is a setting. A partition count never changes: more partitions means a topic
`v2`, because placement is part of what the ledger proves.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from decklog.model import placement

MAX_MESSAGE_BYTES = 5_242_880
MAX_EVENT_BYTES = 4_194_304
DEFAULT_PREFIX = "decklog"
REPLICATION = 3
MIN_INSYNC = 2

_DAY_MS = 86_400_000
_FOR_EVER = -1


class Key(enum.Enum):
    """What a topic's record key names, and therefore what decides the partition."""

    SOURCE = "source"
    DECLARATION = "kind/name"
    APPLICATION = "cluster/application"
    """Or `cluster/@scope`; a third part (an object's key in the state topic) does not count for placement."""
    CLUSTER = "cluster"
    ORIGINAL = "as the original"


class Cleanup(enum.Enum):
    """Kafka's `cleanup.policy`."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic of an installation. Only `sequenced` topics enter the ledger."""

    label: str
    """The word the registry of events uses: `git` of `decklog.git.v1`."""
    key: Key
    partitions: int
    cleanup: Cleanup = Cleanup.DELETE
    retention_ms: int = 30 * _DAY_MS
    sequenced: bool = True

    def name(self, prefix: str) -> str:
        """The topic's full name under a prefix."""
        return f"{prefix}.{self.label}.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """A topic as the cluster has it: its partition count, replication factor and effective settings."""

    partitions: int
    replication: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with an existing topic. `setting` is None where no setting can mend it."""

    topic: str
    problem: str
    hint: str
    setting: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.problem}. {self.hint}"


GIT = Topic(label="git", key=Key.SOURCE, partitions=12)
CURSOR = Topic(label="cursor", key=Key.SOURCE, partitions=12, cleanup=Cleanup.COMPACT, sequenced=False)
EVIDENCE = Topic(label="evidence", key=Key.SOURCE, partitions=4)
FLEET = Topic(label="fleet", key=Key.DECLARATION, partitions=1, retention_ms=_FOR_EVER)
CONTROL = Topic(label="control", key=Key.APPLICATION, partitions=placement.APPLICATION_PARTITIONS)
APPLY = Topic(label="apply", key=Key.APPLICATION, partitions=placement.APPLICATION_PARTITIONS)
DRIFT = Topic(label="drift", key=Key.APPLICATION, partitions=placement.APPLICATION_PARTITIONS)
LIVE = Topic(label="live", key=Key.APPLICATION, partitions=placement.APPLICATION_PARTITIONS)
ACCESS = Topic(label="access", key=Key.CLUSTER, partitions=4)
STATE = Topic(
    label="state",
    key=Key.APPLICATION,
    partitions=placement.APPLICATION_PARTITIONS,
    cleanup=Cleanup.COMPACT,
    sequenced=False,
)
DEAD_LETTER = Topic(label="dead-letter", key=Key.ORIGINAL, partitions=4, retention_ms=90 * _DAY_MS, sequenced=False)

ALL = (GIT, CURSOR, EVIDENCE, FLEET, CONTROL, APPLY, DRIFT, LIVE, ACCESS, STATE, DEAD_LETTER)
SEQUENCED = tuple(topic for topic in ALL if topic.sequenced)
BY_LABEL: Mapping[str, Topic] = {topic.label: topic for topic in ALL}


def settings(topic: Topic, *, dev: bool) -> dict[str, str]:
    """The settings a topic is created with and must keep. `dev`: one broker, so one in-sync replica must do."""
    wanted = {
        "cleanup.policy": topic.cleanup.value,
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "min.insync.replicas": "1" if dev else str(MIN_INSYNC),
        "message.timestamp.type": "CreateTime",
    }
    if topic.cleanup is Cleanup.DELETE:
        wanted["retention.ms"] = str(topic.retention_ms)
        wanted["retention.bytes"] = str(_FOR_EVER)
    return wanted


def expected_partition(topic: Topic, key: str) -> int:
    """Where a key of this topic belongs. `@partition/<n>` addresses partition n itself."""
    if topic.key is not Key.APPLICATION:
        return placement.partition(key, topic.partitions)
    scope, _, rest = key.partition("/")
    name = rest.partition("/")[0]
    if scope == "@partition" and name.isascii() and name.isdigit():
        return int(name)
    return placement.partition(f"{scope}/{name}", topic.partitions)


def faults(name: str, topic: Topic, existing: Existing, *, dev: bool) -> list[Fault]:
    """What must be put right before this topic may be used; nothing if it is as it should be."""
    found = [_setting_fault(name, wanted, existing) for wanted in settings(topic, dev=dev).items()]
    return _partition_faults(name, topic, existing) + [fault for fault in found if fault is not None]


def _partition_faults(name: str, topic: Topic, existing: Existing) -> list[Fault]:
    if existing.partitions == topic.partitions:
        return []
    problem = f"has {existing.partitions} partitions instead of {topic.partitions}"
    hint = "A count cannot be changed: use another topic prefix, or remove the topic if nothing was ever recorded in it"
    return [Fault(topic=name, problem=problem, hint=hint)]


def _setting_fault(name: str, wanted: tuple[str, str], existing: Existing) -> Fault | None:
    setting, value = wanted
    actual = existing.settings.get(setting)
    if actual is not None and _suffices(setting, value, actual):
        return None
    hint = "Run `decklog admin topics ensure --fix`, or set it yourself"
    return Fault(topic=name, problem=f"{setting} is {actual} instead of {value}", hint=hint, setting=wanted)


def _suffices(setting: str, wanted: str, actual: str) -> bool:
    """Longer retention, larger messages and more in-sync replicas than asked for are an operator's good right."""
    if setting in ("retention.ms", "retention.bytes"):
        return int(actual) == _FOR_EVER or (wanted != str(_FOR_EVER) and int(actual) >= int(wanted))
    if setting in ("max.message.bytes", "min.insync.replicas"):
        return int(actual) >= int(wanted)
    return actual == wanted
