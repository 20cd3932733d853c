"""What each stage of sequencing costs, on records held in memory: no server, so it can be read on a busy machine.

    python -m bench.sequencing_stages [--events 100000]

The stages are the sequencer's own, called as its term calls them; what Kafka and Postgres cost it comes on top. Each
figure is that of a batch among the fastest twentieth, which other programs on the machine disturb least.
"""

import argparse
import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TypeVar

from bench import NATIVE
from bench import sequencing as whole
from decklog.model import envelope, merkle, receipt, record_headers, topics
from decklog.ports import ledger, stream
from services.audit.core import sequencing
from services.audit.core import sequencing_examine as examination
from services.audit.sequencer import collecting

T = TypeVar("T")
TOPIC = topics.GIT.name("bench")
RULES = examination.rules("bench-kafka-cluster-id", "bench")


def records(count: int) -> list[stream.Record]:
    """The events of the other benchmark as a reader gives them: by partition, every text an object of its own."""
    offsets: defaultdict[int, Iterator[int]] = defaultdict(itertools.count)
    read = []
    for number in range(count):
        sent, key = whole.event(number), f"bench-{number % 48}"
        where = topics.expected_partition(topics.GIT, key)
        headers = record_headers.encode(envelope.to_headers(sent))
        stamp = sent.time_us // 1000
        read.append(stream.Record(TOPIC, where, next(offsets[where]), stamp, key.encode(), sent.data, headers))
    return sorted(read, key=lambda record: record.partition)


class Clock:
    """CPU seconds by stage, one figure a batch."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, list[float]] = defaultdict(list)

    def time(self, stage: str, step: Callable[[], T]) -> T:
        """Run one stage of one batch."""
        began = time.process_time()
        outcome = step()
        self.spent[stage].append(time.process_time() - began)
        return outcome


def run(read: list[stream.Record], clock: Clock) -> ledger.Head:
    """Sequence everything; the head that results."""
    standing = sequencing.Standing(
        head=ledger.Head(frontier=merkle.Frontier(), recorded_at=0), positions={}, incarnations={TOPIC: "bench"}
    )
    for start in range(0, len(read), whole.BATCH):
        batch = _batch(read[start : start + whole.BATCH], standing, clock)
        standing = standing.after(batch.addition)
    return standing.head


def _batch(read: list[stream.Record], standing: sequencing.Standing, clock: Clock) -> sequencing.Batch:
    now_us = time.time_ns() // 1000
    examined = clock.time("examine", lambda: examination.examine_each(read, RULES, now_us))
    clock.time("ids to look up", lambda: sequencing.identities(examined))
    draft = sequencing.Draft(standing, rules=RULES, now_us=now_us)
    clock.time("decide", lambda: draft.add(examined, os.urandom(receipt.DRAWN_BYTES * len(examined))))
    return clock.time("tree", draft.batch)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    given = parser.parse_args()
    read, clock = records(given.events), Clock()
    collecting.collect_rarely()
    run(read, clock)
    costs = {stage: sorted(spent)[len(spent) // 20] / whole.BATCH * 1e6 for stage, spent in clock.spent.items()}
    how = "with" if NATIVE else "without"
    print(f"{given.events:,} events in memory, load {os.getloadavg()[0]:.1f}, {how} decklog.native")
    for stage, cost in [*costs.items(), ("together", sum(costs.values()))]:
        print(f"{stage:16} {cost:6.2f} µs/event")


if __name__ == "__main__":
    main()
