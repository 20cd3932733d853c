"""Comparing the projections with a replay, for audit-db: as of its snapshot, and behind those who must rebuild."""

import asyncpg
import typer

from decklog.adapters.postgres import ledger as postgres
from decklog.model import errors, receipt
from services.audit.admin import indexes
from services.audit.core.auditing import Audit, Finding
from services.audit.projector import rebuilding, scratch, statements

_TABLES = "SELECT to_regclass('audit.cursor')::oid"

# The leaf that the projector folds next.
_NEXT = "SELECT c.next_leaf, e.receipt FROM audit.cursor c LEFT JOIN ledger.entry e ON e.leaf = c.next_leaf"

_CURSOR = "SELECT next_leaf FROM audit.cursor"


async def tables(connection: asyncpg.Connection) -> int | None:
    """Which tables are the projections, asked for before a snapshot is taken: a rebuild puts others in their place."""
    found: int | None = await connection.fetchval(_TABLES)
    return found


async def findings(uri: str, connection: asyncpg.Connection, audit: Audit, before: int | None) -> list[Finding] | None:
    """Rows that are not what a replay of the ledger gives, as of the connection's snapshot; None, and told: unknown.

    `audit` has read all leaves of that snapshot, `before` is what `tables` said before it. The scratch tables are taken
    only here, and not while a rebuild waits for them that an erasure demands.
    """
    if (erasure := await _rebuild_waits(uri, audit.last_erasure)) is not None:
        _tell(f"leaf {erasure} erased something, after which they are made anew; run it again then")
        return None
    try:
        async with rebuilding.scratch_tables(uri) as held:
            if await tables(connection) == before:
                return await _differences(uri, connection, audit, held)
    except scratch.Busy as busy:
        _tell(f"{busy.problem}; run it again when that has ended")
        return None
    except (errors.Terminal, ValueError, TypeError) as error:
        # Of leaves or tables that are not as they must be. To say nothing of it would be the aim of who made them so.
        return [Finding(None, f"the projections cannot be compared with a replay: {error}")]
    _tell("they were made anew meanwhile; run it again")
    return None


async def _rebuild_waits(uri: str, last_erasure: int) -> int | None:
    """The erasure leaf that the projector has before it by now: it waits for the scratch tables, or soon will."""
    # Not in the snapshot: an erasure may have come since.
    connection = await postgres.connect(uri, "decklog audit-db")
    try:
        row = await connection.fetchrow(_NEXT)
    finally:
        await connection.close()
    return None if row is None else _erasure_ahead(row["next_leaf"], row["receipt"], last_erasure)


def _erasure_ahead(cursor: int, following: bytes | None, last_erasure: int) -> int | None:
    if cursor <= last_erasure:
        return last_erasure
    try:
        return cursor if following is not None and receipt.parse(following).kind is receipt.Kind.ERASURE else None
    except receipt.Malformed:
        return None  # a finding about the leaf itself


async def _differences(
    uri: str, connection: asyncpg.Connection, audit: Audit, held: asyncpg.Connection
) -> list[Finding]:
    cursor = await connection.fetchval(_CURSOR)
    if cursor is None or cursor > audit.size:
        return [Finding(None, f"audit.cursor says {cursor}, and the ledger has {audit.size} leaves")]
    moment = await rebuilding.exported(connection)
    compared = await rebuilding.compare_in(held, uri, tell=lambda *_: None, snapshot=moment)
    by_index = [finding async for finding in indexes.findings(connection, statements.LIVE)]
    return [*(Finding(None, _told(difference)) for difference in compared.differences), *by_index]


def _tell(why: str) -> None:
    typer.echo(f"projections not compared: {why}", err=True)


def _told(difference: rebuilding.Difference) -> str:
    row = f"the row {difference.key} of {difference.table}"
    if difference.live is None:
        return f"{row} is missing"
    if difference.rebuilt is None:
        return f"{row} follows from no leaf"
    return f"{row} is not what the leaves give; `decklog admin rebuild --check` shows both"
