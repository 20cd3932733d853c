"""One run: the memory adapters, the services on them, the plan carried out, and the history that comes of it."""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from decklog.adapters.memory import clock as memory_clock
from decklog.adapters.memory import ledger as memory_ledger
from decklog.adapters.memory import mirror as memory_mirror
from decklog.adapters.memory import stream as memory_stream
from decklog.model import topics
from decklog.ports import ledger, stream
from tests.simulation import history, instances, people, recorders, tables

SCRATCH = Path("/dev/shm")  # noqa: S108 (a folder of our own is made in it; memory instead of disk)


@dataclass
class World:
    """Everything outside the services, and what was seen of it."""

    seed: int
    clock: memory_clock.MemoryClock = field(default_factory=memory_clock.MemoryClock)
    entries: list[history.Entry] = field(default_factory=list)
    texts: list[tuple[str, bytes]] = field(default_factory=list)
    """Whatever else left a service: log lines."""

    def __post_init__(self) -> None:
        self.stream = recorders.RecordedStream(self.clock, self.entries.append)
        for topic in topics.ALL:
            self.stream.create(topic.name(people.PREFIX), topic.partitions, topics.settings(topic, dev=True))
        self.ledger = RecordedLedger(self)
        self.tables = tables.Tables()
        self.cluster = recorders.RecordedCluster(people.CLUSTER, self.clock, self.entries.append)
        self.repository = memory_mirror.MemoryRepository()
        self.mirrors = memory_mirror.MemoryMirrors({people.URL: self.repository})
        self.group = instances.Group(self.stream, topics.CONTROL.name(people.PREFIX))
        self.office = people.Office(self.stream, self.clock, self.entropy("office"))
        self.people = people.People(self.office, self.repository, self.clock)
        self.processes = instances.Processes(self.group, sleep=self.clock.sleep, tell=self.tell)
        self.reached: dict[str, recorders.RecordedCluster] = {people.CLUSTER: self.cluster}
        self.scratch = tempfile.TemporaryDirectory(
            dir=SCRATCH if SCRATCH.is_dir() else None, prefix="decklog-simulation-"
        )

    def entropy(self, name: str) -> Callable[[int], bytes]:
        """Chance of one owner: what others draw does not shift it."""
        return random.Random(f"{self.seed}/{name}").randbytes  # noqa: S311 (it must be repeatable)

    def tell(self, what: str) -> None:
        """Write down what people, the weather or the run did."""
        self.entries.append(history.Happened(at_us=self.clock.now_us(), what=what))

    def name(self, label: str) -> str:
        """A topic's full name."""
        return topics.BY_LABEL[label].name(people.PREFIX)

    def partitions(self, label: str) -> list[stream.TopicPartition]:
        """The partitions of a topic."""
        return [stream.TopicPartition(self.name(label), number) for number in range(topics.BY_LABEL[label].partitions)]

    def outcome(self) -> history.Ledger:
        """The ledger as it is."""
        leaves = tuple(
            history.Leaf(one.receipt, one.hash, one.value, one.salt, one.headers) for one in self.ledger.entries
        )
        return history.Ledger(size=self.ledger.head.size, root=self.ledger.head.frontier.root(), leaves=leaves)

    def close(self) -> None:
        """Remove what the run left on disk."""
        self.scratch.cleanup()


class RecordedLedger(memory_ledger.MemoryLedger):
    """A ledger store that writes down each batch."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def _store(self, addition: ledger.Addition) -> None:
        super()._store(addition)
        self._world.entries.append(
            history.Sequenced(
                at_us=self._world.clock.now_us(),
                by=recorders.SPEAKER.get(),
                first=addition.before.size,
                receipts=tuple(leaf.receipt for leaf in addition.leaves),
            )
        )


def producer(world: World, instance: instances.Instance) -> stream.Producer:
    """A producer of one instance."""
    return instance.life.gate(memory_stream.MemoryProducer(world.stream))


def reader(world: World, instance: instances.Instance) -> stream.Reader:
    """A reader of one instance."""
    return instance.life.gate(recorders.QuietReader(world.stream))
