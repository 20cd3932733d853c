"""`decklog admin audit-db`: recompute the ledger from its rows, and look whether what protects it still stands."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import typer

from decklog.adapters.postgres import failures
from decklog.adapters.postgres import ledger as postgres
from decklog.ports import ledger, stream
from services.audit.core import auditing

app = typer.Typer(help="Recompute the ledger from its rows.")

_PREFETCH = 500
_REFERENCES = 1000
_PARTITION_LEAVES = 10_000_000

_ROWS = """
SELECT e.leaf, e.hash, e.receipt, e.recorded_at, p.salt, p.value, p.headers, s.name, d.id, d.sha256
FROM ledger.entry e
LEFT JOIN ledger.payload p USING (leaf)
LEFT JOIN ledger.dedup d USING (leaf)
LEFT JOIN ledger.source s USING (source)
ORDER BY e.leaf
"""

# Rows beside the leaves that belong to none of them.
_STRAYS = """
SELECT 'payload' AS name, leaf FROM ledger.payload p WHERE NOT EXISTS (SELECT FROM ledger.entry e WHERE e.leaf = p.leaf)
UNION ALL
SELECT 'dedup', leaf FROM ledger.dedup d
WHERE NOT EXISTS (SELECT FROM ledger.entry e WHERE e.leaf = d.leaf)
   OR NOT EXISTS (SELECT FROM ledger.source s WHERE s.source = d.source)
ORDER BY 2 LIMIT 100
"""

_CHECKPOINTS = "SELECT size, root, note FROM ledger.checkpoint ORDER BY size"

_HEAD_ROOT = "SELECT root FROM ledger.head"

_POSITIONS = "SELECT topic, partition, cluster, incarnation, epoch, next_offset, last_leaf FROM ledger.position"

_KNOWN = """
SELECT s.name, d.id, d.leaf, d.sha256 FROM ledger.dedup d JOIN ledger.source s USING (source) WHERE d.id = ANY ($1)
"""

# Tables that must be protected: the facts, and every table that is or was a partition of them.
_UNPROTECTED = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind IN ('r', 'p')
  AND c.relname ~ '^(entry|payload|source|dedup|checkpoint)'
  AND NOT EXISTS (
    SELECT FROM pg_trigger t
    -- 'A' is ENABLE ALWAYS; 58 = before, on delete, update and truncate, for each statement (pg_trigger.h)
    WHERE t.tgrelid = c.oid AND t.tgname = 'append_only' AND t.tgenabled = 'A' AND t.tgtype = 58
      AND t.tgfoid = 'ledger.refuse_change'::regproc)
ORDER BY 1
"""

_PARTITIONS = """
SELECT parent.relname AS parent, child.relname AS child
FROM pg_inherits i JOIN pg_class parent ON parent.oid = i.inhparent JOIN pg_class child ON child.oid = i.inhrelid
WHERE parent.relnamespace = 'ledger'::regnamespace AND parent.relkind = 'p'
"""


@app.command()
def audit_db(
    uri: str = typer.Option(..., "--postgres", envvar="DECKLOG_POSTGRES", help="The database, postgresql://…"),
    most: int = typer.Option(100, "--most", min=1, help="Stop after this many findings."),
) -> None:
    """Recompute tree, receipts, commitments, positions; check triggers and partitions. Exit code 1 if any is wrong."""
    findings, audit = asyncio.run(_audit(uri, most))
    for finding in findings:
        typer.echo(str(finding))
    if findings:
        typer.echo(
            f"{len(findings)} findings in {audit.size} leaves: restore from a backup, and find out who", err=True
        )
        raise typer.Exit(1)
    typer.echo(f"clean: {audit.size} leaves, root {audit.root.hex()}")


async def _audit(uri: str, most: int) -> tuple[Sequence[auditing.Finding], auditing.Audit]:
    """Audit one consistent snapshot, streaming; stops at `most` findings."""
    connection = await postgres.connect(uri, "decklog audit-db")
    audit, found = auditing.Audit(), list[auditing.Finding]()
    try:
        with failures.translated():
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                async for finding in _findings(connection, audit):
                    found.append(finding)
                    if len(found) == most:
                        break
    finally:
        await connection.close()
    return found, audit


async def _findings(connection: asyncpg.Connection, audit: auditing.Audit) -> AsyncIterator[auditing.Finding]:
    for finding in await _protection(connection):
        yield finding
    async for finding in _leaf_findings(connection, audit):
        yield finding
    for row in await connection.fetch(_STRAYS, timeout=None):
        yield auditing.Finding(row["leaf"], f"a row of ledger.{row['name']} belongs to no leaf or source")
    head = await postgres.read_head(connection)
    for finding in audit.end(head, await connection.fetchval(_HEAD_ROOT), await _positions(connection)):
        yield finding


async def _leaf_findings(connection: asyncpg.Connection, audit: auditing.Audit) -> AsyncIterator[auditing.Finding]:
    """What is wrong with the leaves, and with the checkpoints over them."""
    signed = _Signed(connection)
    async for row in connection.cursor(_ROWS, prefetch=_PREFETCH, timeout=None):
        for finding in audit.row(_row(row)):
            yield finding
        async for finding in signed.findings(audit, upto=audit.size):
            yield finding
        if len(audit.references) >= _REFERENCES:
            for finding in await _references(connection, audit):
                yield finding
    async for finding in signed.findings(audit, upto=None):
        yield finding
    for finding in await _references(connection, audit):
        yield finding


class _Signed:
    """The checkpoints that were signed, read beside the leaves that they cover."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._rows = aiter(connection.cursor(_CHECKPOINTS, prefetch=_PREFETCH, timeout=None))
        self._next: auditing.Published | None = None

    async def findings(self, audit: auditing.Audit, *, upto: int | None) -> AsyncIterator[auditing.Finding]:
        """What is wrong with those of at most so many leaves (None: the rest) that were not looked at yet."""
        while (row := self._next or await self._read()) is not None and (upto is None or row.size <= upto):
            self._next = None
            for finding in audit.published(row):
                yield finding
        self._next = row

    async def _read(self) -> auditing.Published | None:
        row = await anext(self._rows, None)
        return None if row is None else auditing.Published(*row)


def _row(row: asyncpg.Record) -> auditing.Row:
    identity = None if row["id"] is None else (row["name"] or "", str(row["id"]))
    return auditing.Row(ledger.Entry(*row[:7]), identity, row["sha256"])


async def _references(connection: asyncpg.Connection, audit: auditing.Audit) -> list[auditing.Finding]:
    references, audit.references = audit.references, []
    ids = [reference.attributes.id for reference in references if isinstance(reference.attributes.id, str)]
    rows = await connection.fetch(_KNOWN, ids)
    known = {(name, str(key)): (leaf, sha256) for name, key, leaf, sha256 in rows}
    problems = (auditing.reference_problem(reference, known) for reference in references)
    return [problem for problem in problems if problem is not None]


async def _positions(connection: asyncpg.Connection) -> dict[stream.TopicPartition, ledger.Position]:
    return {
        stream.TopicPartition(row["topic"], row["partition"]): ledger.Position(
            cluster=row["cluster"],
            incarnation=row["incarnation"],
            epoch=row["epoch"],
            next_offset=row["next_offset"],
            last_leaf=row["last_leaf"],
        )
        for row in await connection.fetch(_POSITIONS)
    }


async def _protection(connection: asyncpg.Connection) -> list[auditing.Finding]:
    """Missing triggers, and partitions that were detached or dropped."""
    unprotected = await connection.fetch(_UNPROTECTED)
    found = [auditing.Finding(None, f"ledger.{row['relname']} is not protected by its trigger") for row in unprotected]
    attached = {(row["parent"], row["child"]) for row in await connection.fetch(_PARTITIONS)}
    size = await connection.fetchval("SELECT size FROM ledger.head")
    for parent in ("entry", "payload"):
        for number in range(size // _PARTITION_LEAVES + 3):
            child = f"{parent}_p{number:06}"
            if (parent, child) not in attached:
                found.append(auditing.Finding(None, f"partition ledger.{child} is not attached to ledger.{parent}"))
    return found
