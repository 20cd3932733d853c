"""One term of leadership: from the ledger's positions onward, until told to stop or until something fails.

While one batch commits, the next one is read and decided on top of it; should the commit fail, the term ends and with
it everything that was decided on top.
"""

import asyncio
import collections
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from decklog.model import errors, receipt, timestamps
from decklog.ports import ledger, stream
from services.audit.core import sequencing, sequencing_limits, sequencing_order
from services.audit.core import sequencing_examine as examination
from services.audit.core import sequencing_resume as resuming
from services.audit.sequencer import parts as sequencer_parts
from services.audit.sequencer import probing, reporting

T = TypeVar("T")

log = structlog.get_logger(__name__)

SLICE = 100
"""Records examined or decided at a stretch; between stretches the running COPY gets its turn."""
LOOKUP = 2000
"""Records whose ids are looked up together; the next are examined, or the last ones decided, meanwhile."""
POLL_SECONDS = 0.5
RECHECK_SECONDS = 15.0
"""How often the topics are compared with the positions; an outage or a recreated topic is noticed within this."""


class Term:
    """Sequences as the only writer. Raises Transient, Fenced or Terminal when the term is over."""

    def __init__(
        self,
        parts: sequencer_parts.Parts,
        writer: ledger.Writer,
        readers: tuple[stream.Reader, stream.Reader],
        rules: examination.Rules,
        standing: sequencing.Standing,
    ) -> None:
        self._parts = parts
        self._writer = writer
        self._reader, self._probe = readers
        self._rules = rules
        self._standing = standing
        self._committing: asyncio.Task[None] | None = None
        self._fresh: Mapping[ledger.Identity, ledger.Known] = {}
        self._tallies: dict[str, sequencing_limits.Tally] = {}
        self._halted: set[str] = set()
        self._probed: dict[stream.TopicPartition, int] = {}
        self._recheck_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Lead until `stop`; what was read by then is appended."""
        try:
            await self._resume()
            await self._assign()
            self._parts.readiness.works("sequencer")
            reporting.leads(self._standing.head.size, self._rules.topics)
            reporting.halted(len(self._halted))
            while not stop.is_set():
                await self._step()
            await self._settle()
        finally:
            if self._committing is not None:
                # What it raised is of no use to anybody now; the next term sees what became of it.
                self._committing.cancel()
                await asyncio.gather(self._committing, return_exceptions=True)

    async def _step(self) -> None:
        try:
            polled = await self._reader.poll(max_records=self._parts.batch_records, timeout=POLL_SECONDS)
        except stream.OutOfRange as gone:
            log.warning("records are gone", where=gone.where, problem=gone.problem)
            await self._settle()
            await self._resume()
            await self._assign()
            return
        self._parts.failpoint("sequencer.after_poll")
        if polled:
            await self._take(sequencing_order.merged(polled.values()))
        if self._parts.time.monotonic() >= self._recheck_at:
            await self._settle()
            if await self._resume():
                await self._assign()

    async def _take(self, records: Sequence[stream.Record]) -> None:
        """Decide a batch on top of the one that is committing, then let it follow."""
        halted = len(self._halted)
        draft = sequencing.Draft(self._standing, rules=self._rules, now_us=self._parts.time.now_us())
        # Decided on, but perhaps not yet there when the ledger is asked.
        draft.learn(self._fresh)
        asked: list[_Asked] = []
        try:
            for share in _stretches(records, LOOKUP):
                examined = await self._examined(share)
                known = asyncio.create_task(self._writer.known(sequencing.identities(examined)), name="ledger lookup")
                asked.append((examined, known))
                if len(asked) > 1:
                    await self._decide(draft, *asked.pop(0))
            while asked:
                await self._decide(draft, *asked.pop(0))
        finally:
            for _, known in asked:
                known.cancel()
            # What they raise besides was raised by one of them already.
            await asyncio.gather(*(known for _, known in asked), return_exceptions=True)
        await self._follow(draft.batch())
        if len(self._halted) > halted:
            await self._assign()

    async def _examined(self, records: Sequence[stream.Record]) -> list[examination.Examined]:
        now_us = self._parts.time.now_us()
        examined: list[examination.Examined] = []
        for stretch in _stretches(records, SLICE):
            examined += examination.examine_each(stretch, self._rules, now_us)
            await asyncio.sleep(0)
        return examined

    async def _decide(
        self,
        draft: sequencing.Draft,
        examined: Sequence[examination.Examined],
        known: asyncio.Task[Mapping[ledger.Identity, ledger.Known]],
    ) -> None:
        """Decide a share once the ledger has answered; the share behind it was examined meanwhile."""
        self._keep_limits(examined)
        draft.learn(await known)
        for stretch in _stretches(self._without_halted(examined), SLICE):
            draft.add(stretch, self._parts.entropy(receipt.DRAWN_BYTES * len(stretch)))
            await asyncio.sleep(0)

    async def _follow(self, batch: sequencing.Batch) -> None:
        if batch.dead_letters:
            self._parts.failpoint("sequencer.before_dead_letters")
            await self._parts.producer.send_all(batch.dead_letters)
            self._parts.failpoint("sequencer.after_dead_letters")
        await self._settle()
        self._standing = self._standing.after(batch.addition)
        self._fresh = dict(batch.addition.leaves.firsts)
        self._committing = asyncio.create_task(self._commit(batch), name="ledger append")

    async def _commit(self, batch: sequencing.Batch) -> None:
        if batch.addition.leaves:
            self._parts.failpoint("sequencer.before_append")
            await self._writer.append(batch.addition)
            self._parts.failpoint("sequencer.after_append")
            self._parts.appended(batch.addition)
        reporting.appended(batch)

    async def _settle(self) -> None:
        """Wait until nothing is committing; raises what the commit raised."""
        committing, self._committing = self._committing, None
        if committing is not None:
            await committing

    def _keep_limits(self, examined: Sequence[examination.Examined]) -> None:
        """Halt a topic with too much poison; nothing of it is dead-lettered then."""
        limit = self._parts.limit
        seen = collections.Counter(found.record.topic for found in examined)
        poisoned = collections.Counter(
            found.record.topic
            for found in examined
            if found.refusal is not None and limit.counts(found.record.topic, found.record.timestamp_ms)
        )
        for topic, count in seen.items():
            tally = self._tallies.get(topic, sequencing_limits.Tally())
            if tally.exceeded_by(count, poisoned[topic], limit):
                self._halt(topic, tally.poisoned + poisoned[topic], tally.seen + count)
            else:
                self._tallies[topic] = tally.add(count, poisoned[topic], limit)

    def _without_halted(self, examined: Sequence[examination.Examined]) -> Sequence[examination.Examined]:
        """Leave out what was read of a topic before it was halted."""
        return [found for found in examined if found.record.topic not in self._halted] if self._halted else examined

    def _halt(self, topic: str, poisoned: int, seen: int) -> None:
        self._halted.add(topic)
        reporting.halted(len(self._halted))
        reason = f"{poisoned} of the last {seen} records are poison: sequencing of {topic} is halted"
        now = timestamps.format_us(self._parts.time.now_us())
        hint = (
            "`decklog notice list --kind poison` shows earlier ones and why; stop who sends them. Then restart audit "
            f"with DECKLOG_ADMITTED_POISON={topic}={now}: what was sent until then becomes dead letters, however many"
        )
        self._parts.readiness.waiting(f"topic {topic}", f"{reason}. {hint}")
        log.error("topic halted", topic=topic, poisoned=poisoned, seen=seen, hint=hint)

    async def _resume(self) -> bool:
        """Compare the topics with the positions; record what is lost as gaps. True if reading goes on elsewhere."""
        await self._still_leads()
        incarnations, available = await self._observed()
        mismatched = await self._mismatched(available)
        if mismatched:
            # Recreated while we probed, perhaps: what was observed before must not be said of the new topic.
            incarnations, available = await self._observed()
        jumps = resuming.jumps(
            self._standing.positions,
            available,
            cluster=self._rules.cluster,
            incarnations=incarnations,
            mismatched=mismatched,
        )
        self._recheck_at = self._parts.time.monotonic() + RECHECK_SECONDS
        self._standing = replace(self._standing, incarnations=incarnations)
        if jumps:
            now_us = self._parts.time.now_us()
            await self._follow(sequencing.jump(self._standing, jumps, rules=self._rules, now_us=now_us))
            await self._settle()
        return bool(jumps)

    async def _observed(self) -> tuple[Mapping[str, str], dict[stream.TopicPartition, resuming.Available]]:
        """Each topic's incarnation, and what each partition holds. Raises Transient.

        All of it is of these incarnations: the client asks on while a topic is away, and would take the beginning from
        the old one and the end from the new one.
        """
        partitions = self._partitions()
        incarnations = await self._incarnations()
        firsts = await self._reader.beginning_offsets(partitions)
        ends = await self._reader.end_offsets(partitions)
        if await self._incarnations() != incarnations:
            hint = "It is looked at again"
            raise errors.Transient("a topic was made anew while it was looked at", where="topics", hint=hint)
        return incarnations, {where: resuming.Available(firsts[where], ends[where]) for where in partitions}

    async def _incarnations(self) -> Mapping[str, str]:
        incarnations = await self._parts.topics.incarnations(list(self._rules.topics))
        if missing := self._rules.topics.keys() - incarnations.keys():
            hint = "Run `decklog admin topics ensure`"
            raise errors.Transient(f"missing: {', '.join(sorted(missing))}", where="topics", hint=hint)
        return incarnations

    async def _still_leads(self) -> None:
        """Notice while nothing is sent that the database is away, or that somebody else has written."""
        if await self._writer.head() != self._standing.head:
            raise ledger.Fenced(f"the head is no longer at {self._standing.head.size} leaves")

    async def _mismatched(
        self, available: Mapping[stream.TopicPartition, resuming.Available]
    ) -> set[stream.TopicPartition]:
        leaves = resuming.to_be_probed(self._standing.positions, available)
        moved = {where: leaf for where, leaf in leaves.items() if self._probed.get(where) != leaf}
        wrong = await probing.mismatched(
            moved, self._standing.positions, reader=self._probe, writer=self._writer, time=self._parts.time
        )
        self._probed.update(moved)
        return wrong

    async def _assign(self) -> None:
        positions = self._standing.positions
        await self._reader.assign({where: resuming.start(positions.get(where)) for where in self._partitions()})

    def _partitions(self) -> list[stream.TopicPartition]:
        return [
            stream.TopicPartition(name, partition)
            for name, topic in self._rules.topics.items()
            if name not in self._halted
            for partition in range(topic.partitions)
        ]


_Asked = tuple[list[examination.Examined], asyncio.Task[Mapping[ledger.Identity, ledger.Known]]]
"""Records with what the ledger was asked about them, one lookup after the other while the next are examined."""


def _stretches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
