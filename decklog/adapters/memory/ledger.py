"""The ledger store in memory, with the database's weather under the test's control."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

from decklog.model import errors, merkle, receipt
from decklog.model.tlog import rotation
from decklog.ports import ledger, stream


class MemoryLedger:
    """What a database would keep, and who leads. Faults: `fail_commits`, `lose_replies`, `go_down`, `depose`."""

    def __init__(self) -> None:
        self.head = ledger.Head(frontier=merkle.Frontier(), recorded_at=0)
        self.entries: list[ledger.Entry] = []
        self.positions: dict[stream.TopicPartition, ledger.Position] = {}
        self.known: dict[ledger.Identity, ledger.Known] = {}
        self.holds: set[str] = set()
        self.rotations = rotation.Rotations()
        self._leader: MemoryLedgerWriter | None = None
        self._failing = 0
        self._silent = 0
        self._down = False

    def fail_commits(self, count: int) -> None:
        """The next `count` additions are rolled back, and their writer is told `Transient`."""
        self._failing = count

    def lose_replies(self, count: int) -> None:
        """The next `count` additions are committed, but their writer is told `Transient`."""
        self._silent = count

    def go_down(self) -> None:
        """Be unreachable; the leader's session ends."""
        self._down = True
        self._leader = None

    def come_up(self) -> None:
        """Be reachable again."""
        self._down = False

    def depose(self) -> None:
        """End the leader's session, as a server does to a client that was paused too long; it is told nothing."""
        self._leader = None

    def check_reachable(self) -> None:
        """Raise Transient while the store is down."""
        if self._down:
            raise errors.Transient("the ledger store is down", where="memory", hint="It is tried again")

    def lead(self, writer: "MemoryLedgerWriter") -> None:
        """Take the leader's lock for a writer."""
        self.check_reachable()
        if self._leader not in (None, writer):
            raise ledger.Fenced("another sequencer leads")
        self._leader = writer

    def leave(self, writer: "MemoryLedgerWriter") -> None:
        """Give the leader's lock up."""
        if self._leader is writer:
            self._leader = None

    def append(self, addition: ledger.Addition) -> None:
        """One transaction. The head alone is the fence, as in the database."""
        self.check_reachable()
        if self._failing:
            self._failing -= 1
            raise errors.Transient("the transaction was rolled back", where="memory", hint="It is tried again")
        if addition.before != self.head:
            raise ledger.Fenced(f"the head is no longer at {addition.before.size} leaves")
        self._store(addition)
        if self._silent:
            self._silent -= 1
            raise errors.Transient("the connection broke during commit", where="memory", hint="It is tried again")

    def _store(self, addition: ledger.Addition) -> None:
        self.entries += addition.leaves
        for identity, known in addition.leaves.firsts:
            if identity in self.known:
                raise errors.Terminal(f"{identity} was recorded twice", where="memory")
            self.known[identity] = known
        self.positions.update(addition.positions)
        self.head = addition.after
        for one in addition.rotations:
            self.rotations = self.rotations.then(one)
        for leaf, hold, placed in sorted([*addition.holds, *((order, "", False) for order in addition.erasures)]):
            if leaf in addition.erasures:
                self._erase(leaf)
            else:
                (self.holds.add if placed else self.holds.discard)(hold)

    def _erase(self, order: int) -> None:
        about = receipt.parse(self.entries[order].receipt).about
        if not isinstance(about, receipt.Erasure) or self.holds:
            raise errors.Terminal(f"leaf {order} orders no erasure, or a legal hold stands", where="memory")
        for first, end in about.ranges:
            for number in range(first, end):
                self.entries[number] = self.entries[number]._replace(salt=None, value=None, headers=None)
        for identity, (leaf, _) in self.known.items():
            if any(first <= leaf < end for first, end in about.ranges):
                self.known[identity] = (leaf, None)


class MemoryLedgerWriter:
    """`ledger.Writer` in memory."""

    def __init__(self, store: MemoryLedger) -> None:
        self._store = store

    async def lead(self) -> None:
        """See `ledger.Writer.lead`."""
        self._store.lead(self)

    async def head(self) -> ledger.Head:
        """See `ledger.Writer.head`."""
        self._store.check_reachable()
        return self._store.head

    async def positions(self) -> Mapping[stream.TopicPartition, ledger.Position]:
        """See `ledger.Writer.positions`."""
        self._store.check_reachable()
        return dict(self._store.positions)

    async def holds(self) -> frozenset[str]:
        """See `ledger.Writer.holds`."""
        self._store.check_reachable()
        return frozenset(self._store.holds)

    async def rotations(self) -> rotation.Rotations:
        """See `ledger.Writer.rotations`."""
        self._store.check_reachable()
        return self._store.rotations

    async def known(self, identities: Collection[ledger.Identity]) -> Mapping[ledger.Identity, ledger.Known]:
        """See `ledger.Writer.known`."""
        self._store.check_reachable()
        await asyncio.sleep(0)
        return {identity: self._store.known[identity] for identity in identities if identity in self._store.known}

    async def entry(self, number: int) -> ledger.Entry | None:
        """See `ledger.Writer.entry`."""
        self._store.check_reachable()
        return self._store.entries[number] if number < len(self._store.entries) else None

    async def append(self, addition: ledger.Addition) -> None:
        """See `ledger.Writer.append`."""
        await asyncio.sleep(0)
        self._store.append(addition)

    async def close(self) -> None:
        """See `ledger.Writer.close`."""
        self._store.leave(self)


class MemoryLedgerReader:
    """`ledger.Reader` in memory."""

    def __init__(self, store: MemoryLedger) -> None:
        self._store = store

    async def head(self) -> ledger.Head:
        """See `ledger.Reader.head`."""
        self._store.check_reachable()
        return self._store.head

    async def entries(self, first: int, end: int) -> AsyncIterator[ledger.Entry]:
        """See `ledger.Reader.entries`."""
        self._store.check_reachable()
        for entry in self._store.entries[first:end]:
            yield entry

    async def close(self) -> None:
        """See `ledger.Reader.close`."""
