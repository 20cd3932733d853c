"""Recovering the ledger from its published log: read the folder and Kafka, append what the database lacks.

Each transaction holds leaves that were recorded at one time, with everything that follows from them; a run that is
interrupted is started again and goes on behind the last one.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import asyncpg

from decklog.adapters.postgres import ledger as postgres
from decklog.model import errors, failpoints, leaf_ranges, merkle, receipt
from decklog.model.tlog import bundle, checkpoint, note, policy, tiles
from decklog.ports import ledger, stream
from services.audit.admin import recovered_records
from services.audit.core import integration, lost, publication, recovered_holds, recovery, tally
from services.audit.core import sequencing_examine as examination
from services.audit.publisher import folder as folders
from services.audit.publisher import publishing, records, ring, tallying

_CHUNK = 4 * tiles.WIDTH

_STANDING = """
SELECT hold, leaf FROM (
    SELECT DISTINCT ON (hold) hold, leaf, placed FROM ledger.legal_hold ORDER BY hold, leaf DESC
) latest WHERE placed
"""

# Orders about legal holds that an earlier run could not give a row, as far as their receipts may be such.
_HOLD_ORDERS = """
SELECT e.leaf, e.receipt FROM ledger.entry e
WHERE position($1::bytea IN e.receipt) > 0
    AND NOT EXISTS (SELECT FROM ledger.legal_hold h WHERE h.leaf = e.leaf)
    AND NOT EXISTS (SELECT FROM ledger.payload p WHERE p.leaf = e.leaf)
ORDER BY e.leaf
"""
_HOLD_ORDER = b".LegalHold"

_KEEP_HOLD = "INSERT INTO ledger.legal_hold (leaf, hold, placed) VALUES ($1, $2, $3)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where everything comes from, and goes to. Without one of the log's keys no checkpoint is believed."""

    postgres: str
    folder: folders.LogFolder
    keys: ring.Files
    prefix: str
    reader: stream.Reader
    topics: stream.Topics
    failpoint: failpoints.Failpoint = failpoints.none


@dataclass(slots=True)
class Report:
    """What was done."""

    before: int
    size: int
    missing: int = 0
    checkpoint: bool = False
    """Whether the database did not know the served checkpoint before."""
    lacking: tuple[str, ...] = ()
    """Tables that lack rows, or have others than were counted: they were counted anew."""
    holds: tuple[ledger.HoldChange, ...] = ()
    """Orders about legal holds of which nothing says which: as they were kept."""


async def recover(given: Sources, tell: Callable[[int, int], None]) -> Report:
    """Append what was published and is not in the database. `tell` hears of leaves done and in all.

    Raises Terminal (or Busy) while an audit works on either, and where folder and database do not fit together;
    Transient for bad weather. What was appended by then stays.
    """
    connection = await postgres.connect(given.postgres, "decklog recovery")
    try:
        writer = await postgres.PostgresWriter.connect(given.postgres, failpoint=given.failpoint)
        try:
            await _lead(writer)
            with given.folder.held():
                return await _Recovery(given, connection, writer).run(tell)
        finally:
            await writer.close()
    except recovery.Unrecoverable as error:
        raise errors.Terminal(
            str(error),
            where=str(given.folder.path),
            hint="Keep both as they are, and find out which one is the true one",
        ) from error
    finally:
        connection.terminate()


async def _lead(writer: postgres.PostgresWriter) -> None:
    try:
        await writer.lead()
    except ledger.Fenced as error:
        raise errors.Terminal(
            "an audit is at work on this database", where="ledger", hint="Stop audit, and start this again"
        ) from error


class _Recovery:
    def __init__(self, given: Sources, connection: asyncpg.Connection, writer: postgres.PostgresWriter) -> None:
        self._given = given
        self._connection = connection
        self._writer = writer

    async def run(self, tell: Callable[[int, int], None]) -> Report:
        signed, tree = self._served()
        head = await self._writer.head()
        self._check_origin(await records.newest(self._connection), tree)
        report = Report(before=head.size, size=max(head.size, tree.size))
        holds = await self._holds()
        if head.size < tree.size:
            erased = await asyncio.to_thread(self._check, head, tree)
            report.missing = await self._append(head, tree, holds, erased, tell)
        report.holds = tuple(holds.rest())
        await self._connection.executemany(_KEEP_HOLD, report.holds)
        await self._adopt(signed, tree, report)
        await self._retally(report)
        return report

    def _served(self) -> tuple[note.Note, checkpoint.Checkpoint]:
        """The checkpoint that the log serves, signed with its key. Raises Terminal."""
        data = self._given.folder.read(folders.CHECKPOINT)
        if data is None:
            raise errors.Terminal(
                "no checkpoint was published",
                where=str(self._given.folder.path),
                hint="Name the folder of DECKLOG_LOG_DIR",
            )
        try:
            signed = note.parse(data)
            tree = checkpoint.parse(signed.text)
            policy.check_log(signed, [one.verifier for one in ring.of(self._given.keys, tree.origin).held])
        except ValueError as error:
            raise errors.Terminal(
                f"the checkpoint is not to be believed: {error}",
                where=str(self._given.folder.path / folders.CHECKPOINT),
                hint="Nothing is recovered from it; DECKLOG_LOG_KEY_FILE must name the key of this log",
            ) from error
        return signed, tree

    def _check_origin(self, stored: bytes | None, tree: checkpoint.Checkpoint) -> None:
        publishing.insist(publication.origin_problem(records.parse(stored, "ledger.checkpoint"), tree.origin))

    def _check(self, head: ledger.Head, tree: checkpoint.Checkpoint) -> list[leaf_ranges.Range]:
        """Before anything is written: the database is the beginning, and the entries are the rest, of what was signed.

        The leaves that the rest says were erased. Raises Unrecoverable.
        """
        try:
            recovery.continues(head, tree, publishing.hashes(self._given.folder, tree.size))
        except recovery.Unrecoverable:
            raise
        except (publishing.Missing, ValueError) as error:
            raise recovery.Unrecoverable(f"the tiles of the published log are damaged: {error}") from error
        frontier, erased = head.frontier, list[leaf_ranges.Range]()
        for group in _groups(head.size, tree.size):
            entries = self._entries(group)[max(0, head.size - group.number * tiles.WIDTH) :]
            frontier = frontier.extend(merkle.leaf_hashes(entries))
            erased += recovery.erased(entries)
            self._salts(group)
        if frontier.root() != tree.root:
            raise recovery.Unrecoverable("the entries of the published log are not those that were signed")
        return leaf_ranges.joined(erased)

    async def _holds(self) -> recovered_holds.Holds:
        standing = {row["hold"]: row["leaf"] for row in await self._connection.fetch(_STANDING)}
        rows = await self._connection.fetch(_HOLD_ORDERS, _HOLD_ORDER, timeout=None)
        orders = (recovered_holds.nameless(row["leaf"], receipt.parse(row["receipt"])) for row in rows)
        return recovered_holds.Holds(standing, [one for one in orders if one is not None])

    async def _append(
        self,
        head: ledger.Head,
        tree: checkpoint.Checkpoint,
        holds: recovered_holds.Holds,
        erased: Sequence[leaf_ranges.Range],
        tell: Callable[[int, int], None],
    ) -> int:
        rules = examination.rules(await self._given.topics.cluster_id(), self._given.prefix)
        incarnations = await self._given.topics.incarnations(list(rules.topics))
        positions = dict(await self._writer.positions())
        kafka = recovered_records.Records(self._given.reader, rules, set(incarnations))
        missing, begun = 0, head.size
        # What an interrupted run kept and did not append is found out anew.
        kept = await self._keep_lost(None, lost.before(self._lost(), head.size))
        for leaves in _together(self._leaves(head.size, tree.size)):
            found = await kafka.read(list(recovery.sought(leaves)))
            addition = recovery.batch(
                head,
                leaves,
                found,
                rules=rules,
                positions=positions,
                incarnations=incarnations,
                holds=holds,
                erased=erased,
            )
            kept = await self._keep_lost(kept, lost.add(kept, addition.missing))
            await self._writer.append(addition)
            self._given.failpoint("recovery.after_append")
            positions |= addition.positions
            head, missing = addition.after, missing + len(addition.missing)
            tell(head.size - begun, tree.size - begun)
        return missing

    def _lost(self) -> list[leaf_ranges.Range]:
        try:
            return lost.decode(self._given.folder.read(lost.PATH) or b"")
        except lost.Malformed as error:
            raise recovery.Unrecoverable(f"{lost.PATH}: {error}") from error

    async def _keep_lost(
        self, before: list[leaf_ranges.Range] | None, after: list[leaf_ranges.Range]
    ) -> list[leaf_ranges.Range]:
        """Keep in the folder which payloads are lost, before the database says so."""
        if before != after and (after or self._given.folder.read(lost.PATH) is not None):
            await asyncio.to_thread(self._given.folder.write, [integration.File(lost.PATH, lost.encode(after))])
        return after

    def _leaves(self, first: int, end: int) -> Iterator[recovery.Published]:
        for group in _groups(first, end):
            start = group.number * tiles.WIDTH
            entries, salts = self._entries(group), self._salts(group)
            for number, (entry, salt) in enumerate(zip(entries, salts, strict=True), start):
                if number >= first:
                    yield recovery.Published(number, entry, salt)

    def _entries(self, group: tiles.Bundle) -> list[bytes]:
        data, width = self._file(group, lambda one: f"{integration.PUBLIC}/{one.path}")
        try:
            return bundle.decode(data, width)[: group.width]
        except bundle.Malformed as error:
            raise recovery.Unrecoverable(f"{group.path} is damaged: {error}") from error

    def _salts(self, group: tiles.Bundle) -> list[bytes | None]:
        data, width = self._file(group, integration.salts_path)
        return recovery.salts(data, width)[: group.width]

    def _file(self, group: tiles.Bundle, path_of: Callable[[tiles.Bundle], str]) -> tuple[bytes, int]:
        """A bundle's file, or that of the whole one that took its place; and how many it holds."""
        for one in dict.fromkeys((group, group.full)):
            data = self._given.folder.read(path_of(one))
            if data is not None:
                return data, one.width
        raise recovery.Unrecoverable(f"{path_of(group)} is missing")

    async def _adopt(self, signed: note.Note, tree: checkpoint.Checkpoint, report: Report) -> None:
        stored = records.parse(await records.of_size(self._connection, tree.size), "ledger.checkpoint")
        if stored is None:
            await records.adopt(self._connection, tree, signed)
            report.checkpoint = True
        elif stored != tree:
            raise recovery.Unrecoverable(
                f"the database has signed another checkpoint of {tree.size} leaves: the log was forked"
            )

    async def _retally(self, report: Report) -> None:
        """Count anew what others said of checkpoints, where the database does not have all that was counted."""
        counted = tallying.read(self._given.folder)
        if counted is None:
            return
        here = await tallying.count(self._connection, tally.NOTHING)
        behind = await tallying.count(self._connection, counted)
        report.lacking = tuple(kind for kind in tally.Kind if here[kind] != behind[kind])
        if report.lacking:
            self._given.folder.write([integration.File(tally.PATH, tally.encode(here))])


def _groups(first: int, end: int) -> Iterator[tiles.Bundle]:
    """The bundles that hold the leaves [first, end), as a tree of `end` leaves has them."""
    for number in range(first // tiles.WIDTH, -(-end // tiles.WIDTH)):
        yield tiles.bundle_of(number * tiles.WIDTH, end)


def _together(leaves: Iterator[recovery.Published]) -> Iterator[list[recovery.Published]]:
    """Leaves that were recorded at one time, a bounded number at once."""
    for _, same in itertools.groupby(leaves, lambda leaf: receipt.parse(leaf.receipt).recorded_at):
        while together := list(itertools.islice(same, _CHUNK)):
            yield together
