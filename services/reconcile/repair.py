"""Repair: the state topic written again, from the ledger and from what Kafka has beyond it.

Whoever repairs takes each partition over as a member does, so that nobody else's word is lost: an owner that still
lived is replaced, and one that comes in between replaces the repair, which then says so. The state is marked as whole
only after its last record; until then a new owner takes it for lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from decklog.model import errors, failpoints, objects, ownership, topics
from decklog.ports import stream
from decklog.runtime import emitter
from services.reconcile import claiming, ledgered, recovery, state

_BATCH = 1_000


class Incomplete(errors.Refused):
    """Something that was said of a partition's applications is neither in the ledger nor in Kafka."""


class Interrupted(errors.Refused):
    """A member of reconcile took the partition over meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What was written for one partition."""

    partition: int
    applications: int
    objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Repairs one partition. The reader is its own.

    Attributes:
        member: opaque id of this run.
        recover: recalls the partition.
    """

    member: str
    voice: emitter.Emitter
    producer: stream.Producer
    place: state.Place
    recover: recovery.Recovery

    async def carry_out(self, found: ledgered.Ledgered) -> Repaired:
        """Write the partition's state again. Raises `Incomplete` before a word was written, or `Interrupted`."""
        number = self.place.partition
        missing, recalled = found.missing.get(number, []), found.of(number)
        stored = await self.recover.stored(self.member)
        recalled.newest = max(recalled.newest, stored.newest)
        recalled.topic_epoch = max(recalled.topic_epoch, recalled.newest.topic_epoch)
        await self.recover.go_on(recalled)
        if missing or not recalled.complete:
            raise _incomplete(number, missing)
        right, _ = await self._claimant().take_over(self.recover, recalled)
        await self._write(recalled, stored, right)
        if not await self.recover.still_ours(self.member, recalled, right):
            raise _interrupted(number)
        return Repaired(
            partition=number,
            applications=len(recalled.known),
            objects=sum(len(one.records) for one in recalled.known.values()),
        )

    async def _write(self, recalled: recovery.Recalled, stored: state.Stored, right: ownership.Right) -> None:
        """The records, in the end that there are no more; those that are not known any more are forgotten."""
        place = self.place.under(right)
        ends = {label: end for label, end in recalled.ends.items() if label != topics.CONTROL.label}
        positions = state.Positions(ends)
        messages: list[stream.Message] = []
        for key in sorted(recalled.known.keys() | stored.known.keys()):
            before = stored.known.get(key)
            after = state.repaired(recalled.known.get(key), before, safe=positions.safe(key), right=right)
            gone: set[objects.ObjectKey] = set(before.records) if before is not None else set()
            messages += place.messages(key, after, gone | after.records.keys())
        for start in range(0, len(messages), _BATCH):
            await self.producer.send_all(messages[start : start + _BATCH])
        await self.producer.send(place.whole(self.member))

    def _claimant(self) -> claiming.Claimant:
        return claiming.Claimant(
            voice=self.voice,
            producer=self.producer,
            place=self.place,
            member=self.member,
            permit=_always,
            failpoint=failpoints.none,
        )


def _always() -> None:
    """A repair has no lease: it is told apart from a member by what it finds behind its claim."""


def _incomplete(number: int, missing: Sequence[str]) -> Incomplete:
    what = "; ".join(missing) or "Kafka no longer has what comes after the ledger's last leaf of it"
    return Incomplete(
        f"it cannot be made whole: {what}",
        where=f"partition {number}",
        hint="Start reconcile, and sync its applications once: `decklog app sync NAME`",
    )


def _interrupted(number: int) -> Interrupted:
    return Interrupted(
        "a member of reconcile took it over meanwhile, so what was written may not count",
        where=f"partition {number}",
        hint="Stop every member of reconcile, then run this again",
    )
