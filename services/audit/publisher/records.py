"""What the publisher reads from Postgres and stores there: SQL in, values out. Raises Transient or Terminal."""

from collections.abc import Mapping
from typing import NamedTuple

import asyncpg

from decklog.adapters.postgres import failures
from decklog.model import errors
from decklog.model.tlog import checkpoint, note
from services.audit.core import integration

PUBLISHER = 0x6465636B6C6F6701
"""Key of the session lock that only the process holds that publishes."""

ANCHOR = 0x6465636B6C6F6703
"""The same for the process that asks for time stamps."""

_LEAD = "SELECT pg_try_advisory_lock($1)"

_HEAD = "SELECT size, root FROM ledger.head"

_ENTRIES = """
SELECT e.leaf, e.receipt, p.salt FROM ledger.entry e LEFT JOIN ledger.payload p USING (leaf)
WHERE e.leaf >= $1 AND e.leaf < $2 ORDER BY e.leaf
"""

_NEWEST = "SELECT note FROM ledger.checkpoint ORDER BY size DESC LIMIT 1"

_OF_SIZE = "SELECT note FROM ledger.checkpoint WHERE size = $1"

_STORE = """
INSERT INTO ledger.checkpoint (size, root, note, number)
SELECT $1, $2, $3, coalesce((SELECT number + 1 FROM ledger.checkpoint ORDER BY number DESC LIMIT 1), 0)
"""

# Only one process of an installation cosigns, and one stamps: nobody else takes the number.
_COSIGN = """
INSERT INTO ledger.cosignature (size, cosigner, line, number)
SELECT $1, said.cosigner, said.line,
    coalesce((SELECT number + 1 FROM ledger.cosignature ORDER BY number DESC LIMIT 1), 0) + row_number() OVER () - 1
FROM unnest($2::text[], $3::text[]) AS said (cosigner, line)
WHERE NOT EXISTS (
    SELECT FROM ledger.cosignature k WHERE k.size = $1 AND k.cosigner = said.cosigner AND k.line = said.line
)
"""

_COSIGNED = "SELECT cosigner, max(size) AS size FROM ledger.cosignature GROUP BY cosigner"

_COSIGNATURES = "SELECT cosigner, line FROM ledger.cosignature WHERE size = $1 ORDER BY cosigner, number"

_STAMP = """
INSERT INTO ledger.time_stamp (size, authority, token, number)
SELECT $1, $2, $3, coalesce((SELECT number + 1 FROM ledger.time_stamp ORDER BY number DESC LIMIT 1), 0)
ON CONFLICT (size, authority) DO NOTHING
"""

_STAMPED = "SELECT size, token FROM ledger.time_stamp ORDER BY size DESC LIMIT 1"

_TAMPERED = "Somebody has changed it: find out who before anything more is signed"


class Refused(errors.Terminal):
    """The ledger is not the one that was published: nothing may be sequenced or signed until somebody looked at it."""


class Stamped(NamedTuple):
    """A checkpoint's time stamp, as the authority answered."""

    size: int
    token: bytes


class Cosigned(NamedTuple):
    """A line that was kept; one cosigner may have several for a checkpoint, of which the first were none."""

    cosigner: str
    line: str


class Head(NamedTuple):
    """The tree as the sequencer left it."""

    size: int
    root: bytes


async def lead(connection: asyncpg.Connection, task: int) -> bool:
    """Become the only one who does a task, by its key, while the connection lives; False if another is."""
    with failures.translated("publisher"):
        return bool(await connection.fetchval(_LEAD, task))


async def head(connection: asyncpg.Connection) -> Head:
    """The tree as it stands. Raises Refused if nothing says it."""
    with failures.translated("publisher"):
        row = await connection.fetchrow(_HEAD)
    if row is None:
        raise Refused("the head row is gone", where="ledger.head", hint="Run `decklog admin audit-db`")
    return Head(row["size"], row["root"])


async def entries(connection: asyncpg.Connection, first: int, end: int) -> list[integration.Entry]:
    """The leaves [first, end). Raises Refused if one is missing."""
    with failures.translated("publisher"):
        rows = await connection.fetch(_ENTRIES, first, end)
    for number, row in zip(range(first, end), [*rows, None], strict=False):
        if row is None or row["leaf"] != number:
            hint = "Run `decklog admin audit-db`"
            raise Refused(f"leaf {number} is missing", where="ledger.entry", hint=hint)
    return [integration.Entry._make(row) for row in rows]


async def adopt(connection: asyncpg.Connection, published: checkpoint.Checkpoint, signed: note.Note) -> None:
    """Keep a checkpoint that the folder has and the database has not, with what cosigners said of it."""
    own = note.Note(signed.text, tuple(line for line in signed.signatures if line.name == published.origin))
    others = {f"{line.name}+{line.id:08x}": line for line in signed.signatures if line.name != published.origin}
    with failures.translated("publisher"):
        async with connection.transaction():
            await store(connection, published, own.to_bytes())
            await cosign(connection, published.size, others)


async def newest(connection: asyncpg.Connection) -> bytes | None:
    """The checkpoint that was signed last, as a note."""
    with failures.translated("publisher"):
        found: bytes | None = await connection.fetchval(_NEWEST)
    return found


async def of_size(connection: asyncpg.Connection, size: int) -> bytes | None:
    """The checkpoint that was signed for a size, as a note."""
    with failures.translated("publisher"):
        found: bytes | None = await connection.fetchval(_OF_SIZE, size)
    return found


async def store(connection: asyncpg.Connection, published: checkpoint.Checkpoint, signed: bytes) -> None:
    """Keep a signed checkpoint, for ever; it is durable when this returns."""
    with failures.translated("publisher"):
        await connection.execute(_STORE, published.size, published.root, signed)


async def cosign(connection: asyncpg.Connection, size: int, lines: Mapping[str, note.Signature]) -> None:
    """Keep what cosigners said of the checkpoint of a size, beside whatever else they said of it."""
    with failures.translated("publisher"):
        await connection.execute(_COSIGN, size, list(lines), [str(line) for line in lines.values()])


async def cosigned(connection: asyncpg.Connection) -> dict[str, int]:
    """The largest size that each cosigner vouched for."""
    with failures.translated("publisher"):
        return {row["cosigner"]: row["size"] for row in await connection.fetch(_COSIGNED)}


async def cosignatures(connection: asyncpg.Connection, size: int) -> list[Cosigned]:
    """What was kept as lines of those who cosigned the checkpoint of a size, the first of each first."""
    with failures.translated("publisher"):
        return [Cosigned(*row) for row in await connection.fetch(_COSIGNATURES, size)]


async def stamp(connection: asyncpg.Connection, size: int, authority: str, token: bytes) -> None:
    """Keep the time stamp of the checkpoint of a size; it is durable when this returns."""
    with failures.translated("time stamps"):
        await connection.execute(_STAMP, size, authority, token)


async def stamped(connection: asyncpg.Connection) -> Stamped | None:
    """The time stamp of the largest size."""
    with failures.translated("time stamps"):
        row = await connection.fetchrow(_STAMPED)
    return None if row is None else Stamped(row["size"], row["token"])


def parse(data: bytes | None, where: str) -> checkpoint.Checkpoint | None:
    """The checkpoint of a note that was kept. Raises Refused for what is none."""
    if data is None:
        return None
    try:
        return checkpoint.parse(note.parse(data).text)
    except (note.Malformed, checkpoint.Malformed) as error:
        raise Refused(f"this is no checkpoint: {error}", where=where, hint=_TAMPERED) from error
