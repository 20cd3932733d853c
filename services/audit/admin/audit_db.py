"""`decklog admin audit-db`: recompute the ledger from its rows, and look whether what protects it still stands."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from decklog.adapters.postgres import failures as postgres_failures
from decklog.adapters.postgres import ledger as postgres
from decklog.cli import stores
from decklog.client import failures
from decklog.model import errors, leaf_ranges, legal_holds, merkle, printable, topics
from decklog.model.tlog import checkpoint, keys, note, rotation
from decklog.ports import ledger, stream
from services.audit.admin import incarnations, indexes, leaf_rows, log_files, projected, protection, rereading, vouched
from services.audit.core import auditing, lost
from services.audit.projector import rebuilding

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Recompute the ledger from its rows.")

# Rows beside the leaves that belong to none of them. A source of no event waits for one; a number of it that was given
# before would be given twice.
_STRAYS = """
SELECT leaf, 'a row of ledger.payload belongs to no leaf or source' AS problem FROM ledger.payload p
WHERE NOT EXISTS (SELECT FROM ledger.entry e WHERE e.leaf = p.leaf)
UNION ALL
SELECT leaf, 'a row of ledger.dedup belongs to no leaf or source' FROM ledger.dedup d
WHERE NOT EXISTS (SELECT FROM ledger.entry e WHERE e.leaf = d.leaf)
   OR NOT EXISTS (SELECT FROM ledger.source s WHERE s.source = d.source)
UNION ALL
SELECT NULL, format('ledger.source has %L, and no event is of it', s.name) FROM ledger.source s
WHERE NOT EXISTS (SELECT FROM ledger.dedup d WHERE d.source = s.source)
UNION ALL
SELECT NULL, format('ledger.source goes on with number %s, and has %s', coalesce(given, 0) + 1, highest)
FROM (
    SELECT max(source) AS highest, pg_sequence_last_value(pg_get_serial_sequence('ledger.source', 'source')) AS given
    FROM ledger.source
) numbers WHERE coalesce(given, 0) < highest
ORDER BY 1 LIMIT 100
"""

_SIZE = "SELECT size FROM ledger.head"

_HEAD = "SELECT size, frontier, root, recorded_at FROM ledger.head"

_POSITIONS = "SELECT topic, partition, cluster, incarnation, epoch, next_offset, last_leaf FROM ledger.position"

_MISSING = "SELECT leaf FROM ledger.missing"

_ROOT_OF_SIZE = "SELECT root FROM ledger.checkpoint WHERE size = $1"

# What an erasure leaf says is gone, and is not.
_NOT_ERASED = """
SELECT 'payload' AS name, p.leaf FROM unnest($1::bigint[], $2::bigint[]) AS r (first, beyond)
JOIN ledger.payload p ON p.leaf >= r.first AND p.leaf < r.beyond
UNION ALL
SELECT 'dedup', d.leaf FROM unnest($1::bigint[], $2::bigint[]) AS r (first, beyond)
JOIN ledger.dedup d ON d.leaf >= r.first AND d.leaf < r.beyond WHERE d.sha256 IS NOT NULL
ORDER BY 2 LIMIT 100
"""

_HOLDS = "SELECT leaf, hold, placed FROM ledger.legal_hold"

_ROTATIONS = "SELECT leaf, vkey, beside FROM ledger.rotation ORDER BY leaf"

_HAS_CURSOR = "SELECT to_regclass('audit.cursor') IS NOT NULL"


@app.command()
def audit_db(
    uri: stores.Postgres,
    log: str = typer.Option(
        "", "--log", envvar="DECKLOG_LOG_DIR", help="The folder of the published log, to compare.", metavar="DIR"
    ),
    kafka: stores.Kafka = "",
    prefix: stores.Prefix = topics.DEFAULT_PREFIX,
    records: bool = typer.Option(
        False, "--records", help="With --kafka: read its records again, those it still has, and compare the leaves."
    ),
    ledger_only: bool = typer.Option(False, "--ledger-only", help="Do not compare the projections with a replay."),
    lost_file: str = typer.Option(
        "",
        "--lost",
        help="Which payloads recoveries found lost: a copy of the file `lost` of the log's folder.",
        metavar="FILE",
    ),
    policy: str = typer.Option(
        "",
        "--policy",
        envvar="DECKLOG_LOG_POLICY",
        help="Policy with the keys of the log and its witnesses.",
        metavar="FILE",
    ),
    tsa_ca: str = typer.Option(
        "", "--tsa-ca", help="Certificates (PEM) of those who gave time stamps, to verify them.", metavar="FILE"
    ),
    known: Annotated[
        list[str] | None,
        typer.Option(
            help="Excuse what your provider brought, as a finding names it: kind, exact name and digest.",
            metavar="EXCUSE",
        ),
    ] = None,
    most: int = typer.Option(100, "--most", min=1, help="Stop after this many findings.", metavar="N"),
) -> None:
    """Recompute tree, receipts, commitments, positions and projections; see what protects them.

    Exit code 1 if anything is wrong there; 2 if the command line or the settings are, and 4 if Postgres or Kafka cannot
    be reached. Run it as an administrator: a part of audit may not read everything.
    """
    if records and not kafka:
        raise typer.BadParameter("--records reads Kafka: name its servers with --kafka")
    told = Told(
        log=Path(log) if log else None,
        kafka=kafka,
        records=rereading.Asked(kafka, prefix) if records else None,
        lost=Path(lost_file) if lost_file else None,
        trusted=vouched.trusted(policy, tsa_ca),
        known=known or (),
    )
    findings: list[auditing.Finding] = []
    try:
        _, audit, compared = asyncio.run(_audit(uri, most, told, projections=not ledger_only, found=findings))
    finally:
        # Also before an error: who can bring one about must not hide by it what was found.
        for finding in findings:
            typer.echo(printable.line(str(finding)))
    for line in _not_done(told, audit):
        typer.echo(line, err=True)
    if audit.missing:
        named = ", ".join(map(str, sorted(audit.missing)[:20])) + (" …" if len(audit.missing) > 20 else "")
        typer.echo(f"marked as lost in a recovery: the payloads of {len(audit.missing)} leaves, {named}")
    if findings:
        found = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
        typer.echo(f"{found} in {audit.size} leaves: restore from a backup, and find out who", err=True)
        if len(findings) >= most:
            typer.echo("there may be more behind them: it stopped there (--most)", err=True)
        raise typer.Exit(1)
    without = "" if compared else "; the projections were not compared"
    typer.echo(f"clean: {audit.size} leaves, root {audit.root.hex()}{without}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the operator knows from elsewhere.

    `log` is the folder of the published log, `kafka` the servers that the topics are on, `records` the same where they
    are to be read again; `lost` a file of the payloads that recoveries found lost, if it is another than that in the
    folder; `trusted` whose word is believed; `known` excuses for what a provider brought.
    """

    log: Path | None = None
    kafka: str = ""
    records: rereading.Asked | None = None
    lost: Path | None = None
    trusted: vouched.Trusted = field(default_factory=vouched.Trusted)
    known: Sequence[str] = ()


def _not_done(told: Told, audit: auditing.Audit) -> Iterator[str]:
    """What was not compared or verified, and how it is."""
    if told.log is None:
        yield "not compared with the published log: name its folder with --log"
    if not told.kafka:
        yield "not compared with Kafka's topics: name its servers with --kafka"
    if told.trusted.unverified:
        yield (
            f"not verified: {told.trusted.unverified} cosignatures and time stamps; name the witnesses with --policy, "
            "the authority's certificates with --tsa-ca"
        )
    if audit.unverified:
        signatures = (
            "signature under 1 checkpoint"
            if audit.unverified == 1
            else f"signatures under {audit.unverified} checkpoints"
        )
        yield f"not verified: the log's {signatures}; name its key with --policy"


async def _audit(
    uri: str,
    most: int,
    told: Told | None = None,
    *,
    projections: bool = True,
    found: list[auditing.Finding] | None = None,
) -> tuple[list[auditing.Finding], auditing.Audit, bool]:
    """Audit one consistent snapshot, streaming; stops at `most` findings. Whether the projections were compared, too.

    Everything that is compared is read from that snapshot: on a live ledger two moments never agree. Findings go to
    `found`, too, one by one: an error does not take them along.
    """
    told, found = told or Told(), [] if found is None else found
    # Read before the snapshot: what was served by then is in it.
    served = None if told.log is None else log_files.served(told.log)
    known = log_files.kept_as_lost(told.log, told.lost)
    audit, compared = auditing.Audit(first_keys=told.trusted.logs), False
    found += [*([] if served is None else served.problems), *known.problems]
    async with contextlib.AsyncExitStack() as opened:
        connection = await _connected(uri)
        opened.push_async_callback(connection.close)
        with postgres_failures.translated():
            async with connection.transaction():
                await _protection(connection, told.known, found)
            before = await projected.tables(connection)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                audit.missing = frozenset(row["leaf"] for row in await connection.fetch(_MISSING))
                positions = await _positions(connection)
                audit.first_keys = await _first_keys(connection) or audit.first_keys
                async for finding in _findings(connection, audit, told, served, known.ranges, positions):
                    if len(found) >= most:
                        break
                    found.append(finding)
                if projections and len(found) < most:
                    more = await projected.findings(uri, connection, audit, before)
                    compared = more is not None
                    found += more or []
    if told.log is not None and served is None:
        typer.echo(f"not compared with the published log: there is none in {told.log}", err=True)
        found += log_files.emptied(told.log, audit.signed)
    if told.kafka:
        found += await incarnations.findings(told.kafka, positions)
    del found[most:]
    return found, audit, compared


async def _connected(uri: str) -> asyncpg.Connection:
    """A connection. Raises Transient, or Misconfigured where somebody must correct the URI or what it names."""
    try:
        return await postgres.connect(uri, "decklog audit-db")
    except errors.Terminal as error:
        raise failures.Misconfigured(error.problem, where=error.where, hint=error.hint) from error


async def _protection(connection: asyncpg.Connection, known: Sequence[str], found: list[auditing.Finding]) -> None:
    """Add what was done to what protects the ledger. A rebuild waits for the moment that it takes."""
    seen = await protection.beside(connection, known)
    found += seen.findings
    _tell_known(seen)
    if await connection.fetchval(_HAS_CURSOR):
        await connection.execute(rebuilding.HOLD)
    async for finding in protection.findings(connection, await connection.fetchval(_SIZE) or 0):
        found.append(finding)


def _tell_known(seen: protection.Seen) -> None:
    for problem in seen.excused:
        typer.echo(printable.line(f"excused: {problem}"))
    for excuse in seen.unfit:
        typer.echo(f"--known {printable.line(excuse)!r} fits nothing: it is gone, or is another by now", err=True)


async def _findings(
    connection: asyncpg.Connection,
    audit: auditing.Audit,
    told: Told,
    served: log_files.Served | None,
    known: Sequence[leaf_ranges.Range] | None,
    positions: Mapping[stream.TopicPartition, ledger.Position],
) -> AsyncIterator[auditing.Finding]:
    for part in (
        leaf_rows.findings(connection, audit),
        indexes.findings(connection, "ledger"),
        _stray_findings(connection, audit, known),
        _order_findings(connection, audit),
        vouched.findings(connection, told.trusted),
        vouched.uncounted(connection, None if served is None else served.counted),
        _served_findings(connection, None if served is None else served.checkpoint),
        _head_findings(connection, audit, positions),
        *([] if told.records is None else [rereading.findings(connection, told.records, positions)]),
    ):
        async for finding in part:
            yield finding


async def _stray_findings(
    connection: asyncpg.Connection, audit: auditing.Audit, known: Sequence[leaf_ranges.Range] | None
) -> AsyncIterator[auditing.Finding]:
    """After all leaves: what belongs to none of them, and payloads that are marked as lost."""
    for row in await connection.fetch(_STRAYS, timeout=None):
        yield auditing.Finding(*row)
    for problem in lost.problems(audit.missing, audit.size, known):
        yield problem


async def _served_findings(connection: asyncpg.Connection, served: note.Note | None) -> AsyncIterator[auditing.Finding]:
    """What the published log serves and the database does not have."""
    if served is None:
        return
    tree = checkpoint.parse(served.text)
    forked = auditing.served_problem(tree, await connection.fetchval(_ROOT_OF_SIZE, tree.size))
    if forked is not None:
        yield forked
    async for finding in vouched.lost(connection, served, tree):
        yield finding


async def _head_findings(
    connection: asyncpg.Connection,
    audit: auditing.Audit,
    positions: Mapping[stream.TopicPartition, ledger.Position],
) -> AsyncIterator[auditing.Finding]:
    """After all leaves: what is wrong with the head and the positions."""
    root = b""
    head: ledger.Head | None = None
    said = await connection.fetchrow(_HEAD)
    if said is None:
        yield auditing.Finding(None, "the head row is gone")
    else:
        root = said["root"]
        try:
            frontier = merkle.from_bytes(said["size"], said["frontier"])
            head = ledger.Head(frontier=frontier, recorded_at=said["recorded_at"])
        except ValueError as error:
            yield auditing.Finding(None, f"the head says {said['size']} leaves, with hashes of another tree: {error}")
    for finding in audit.end(head, root, positions):
        yield finding


async def _order_findings(connection: asyncpg.Connection, audit: auditing.Audit) -> AsyncIterator[auditing.Finding]:
    """What was erased and is there all the same; legal holds and keys of the log that no leaf tells of."""
    if audit.erased:
        firsts, ends = zip(*audit.erased, strict=True)
        for row in await connection.fetch(_NOT_ERASED, list(firsts), list(ends), timeout=None):
            yield auditing.Finding(row["leaf"], f"it was erased, and ledger.{row['name']} still tells of its payload")
    holds = {leaf: legal_holds.Order(hold, placed) for leaf, hold, placed in await connection.fetch(_HOLDS)}
    for finding in auditing.hold_problems(audit.orders, holds):
        yield finding
    for finding in auditing.held_erasures(audit.erasures, audit.orders, holds):
        yield finding
    rotations = [rotation.Rotation(*row) for row in await connection.fetch(_ROTATIONS)]
    for finding in auditing.rotation_problems(audit.rotations, rotations):
        yield finding


async def _first_keys(connection: asyncpg.Connection) -> Sequence[keys.VerifierKey]:
    """The key that the first rotation replaced, if there was one; whether it says so rightly its leaf tells."""
    first = await connection.fetchrow(_ROTATIONS)
    try:
        return () if first is None or first["beside"] is None else rotation.parsed([first["beside"]])
    except keys.Malformed:
        return ()


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
