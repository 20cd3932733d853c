"""Topics of an installation: made once by `decklog admin topics ensure`, checked by every service before it starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from decklog.model import errors, topics
from decklog.ports import stream

_WAYS_OUT = "Run `decklog admin topics ensure`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensured:
    """What `ensure` did: topics created, settings mended, and whether one broker had to do."""

    created: Sequence[str]
    mended: Sequence[topics.Fault]
    dev: bool


async def check(port: stream.Topics, prefix: str, wanted: Sequence[topics.Topic] = topics.ALL) -> None:
    """Raise Transient while topics or all brokers are missing, Terminal if a topic is not as it must be."""
    dev = await _brokers(port) == 1
    existing = await port.describe([topic.name(prefix) for topic in wanted])
    missing = [topic.name(prefix) for topic in wanted if topic.name(prefix) not in existing]
    if missing:
        raise errors.Transient(f"missing: {', '.join(missing)}", where="topics", hint=_WAYS_OUT)
    _refuse(_faults(prefix, wanted, existing, dev=dev))


async def ensure(port: stream.Topics, prefix: str, *, fix: bool = False, dev: bool = False) -> Ensured:
    """Create what is missing, check what exists. Raises Terminal for what is wrong, unless `fix` mends the settings.

    With a single broker replication 1 has to do, as with `dev`.
    """
    brokers = await _brokers(port)
    dev = dev or brokers == 1
    existing = await port.describe([topic.name(prefix) for topic in topics.ALL])
    found = _faults(prefix, [topic for topic in topics.ALL if topic.name(prefix) in existing], existing, dev=dev)
    if not fix:
        _refuse(found)
    _refuse([fault for fault in found if fault.setting is None])
    for fault in found:
        if fault.setting is not None:
            await port.alter(fault.topic, dict([fault.setting]))
    missing = [topic for topic in topics.ALL if topic.name(prefix) not in existing]
    for topic in missing:
        replication = 1 if dev else min(topics.REPLICATION, brokers)
        settings = topics.settings(topic, dev=dev)
        await port.create(topic.name(prefix), partitions=topic.partitions, replication=replication, settings=settings)
    return Ensured(created=[topic.name(prefix) for topic in missing], mended=found, dev=dev)


async def _brokers(port: stream.Topics) -> int:
    """How many brokers there are: what a topic must be like depends on it. Raises Transient where none is told of.

    A broker that was too busy for its heartbeats is left out of its own answer until the controller hears of it again.
    """
    brokers = await port.brokers()
    if not brokers:
        raise errors.Transient("Kafka names no broker that is alive", where="topics", hint="It is asked again")
    return brokers


def _faults(
    prefix: str, wanted: Sequence[topics.Topic], existing: Mapping[str, topics.Existing], *, dev: bool
) -> list[topics.Fault]:
    checked = [topics.faults(topic.name(prefix), topic, existing[topic.name(prefix)], dev=dev) for topic in wanted]
    return [fault for faults in checked for fault in faults]


def _refuse(found: Sequence[topics.Fault]) -> None:
    if found:
        raise errors.Terminal("; ".join(map(str, found)), where="topics")
