"""`decklog admin ledger recover`: what a database lacks, from the published log, its salts and Kafka."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from decklog.adapters.kafka import admin, connection, reader
from decklog.cli import stores
from decklog.client import failures
from decklog.model import topics
from decklog.runtime import settings
from services.audit.admin import recovering
from services.audit.core import lost
from services.audit.publisher import exposure, folder, ring

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="The ledger and its published log.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """The ledger and its published log."""


@app.command()
def recover(
    uri: stores.Postgres,
    kafka: stores.Kafka,
    log: Annotated[
        Path, typer.Option(envvar="DECKLOG_LOG_DIR", help="The folder of the published log.", metavar="DIR")
    ],
    key: Annotated[Path, typer.Option(envvar=ring.CURRENT, help="The key that signs the log.", metavar="FILE")],
    next_key: Annotated[
        Path | None,
        typer.Option(envvar=ring.NEXT, help="The key that is to replace it, or has by now.", metavar="FILE"),
    ] = None,
    prefix: stores.Prefix = topics.DEFAULT_PREFIX,
) -> None:
    """Bring a database that was restored from a backup, or made anew, up to what was published. Stop audit first.

    Leaves come from the published log, their payloads from Kafka, each checked against its leaf. A payload that Kafka
    no longer has is marked missing; its leaf does not change. Interrupted, it goes on when it is started again.
    """
    files = ring.Files(
        current=settings.read_key(key), following=None if next_key is None else settings.read_key(next_key)
    )
    try:
        exposure.check(log)
    except ValueError as error:
        raise failures.Misconfigured(str(error), where="DECKLOG_LOG_DIR", hint="Nothing was recovered") from error
    report = asyncio.run(_recover(uri, kafka, prefix, log, files))
    if report.lacking:
        named = ", ".join(f"ledger.{name}" for name in report.lacking)
        typer.echo(
            f"not recovered: rows of {named} that the log's folder had counted; they are counted anew from here. "
            "Exported copies and witnesses have them",
            err=True,
        )
    for leaf, hold, placed in report.holds:
        typer.echo(_held(leaf, hold, placed=placed), err=True)
    if report.before == report.size and not report.checkpoint:
        typer.echo(f"nothing to recover: the database has the {report.size} leaves that were published")
        return
    typer.echo(f"recovered: {report.size - report.before} leaves, from {report.before} to {report.size}")
    if report.missing:
        typer.echo(
            f"{report.missing} payloads are in Kafka no longer and are marked missing; their leaves stand. "
            f"Which they are is kept in {log / lost.PATH}; `decklog admin audit-db --log {log}` compares",
            err=True,
        )
    typer.echo("next: start audit; it goes on from here. Then run `decklog admin audit-db`", err=True)


async def _recover(uri: str, kafka: str, prefix: str, log: Path, files: ring.Files) -> recovering.Report:
    reached = connection.Connection(bootstrap=kafka, client_id="decklog-recovery")
    given = recovering.Sources(
        postgres=uri,
        folder=folder.LogFolder(log),
        keys=files,
        prefix=prefix,
        reader=reader.KafkaReader(reached),
        topics=admin.KafkaTopics(reached),
    )
    try:
        return await recovering.recover(given, _progress)
    finally:
        await given.reader.close()
        await given.topics.close()


def _held(leaf: int, hold: str, *, placed: bool) -> str:
    if placed:
        over = f"decklog legal-hold release '{hold}'"
        return f"leaf {leaf} placed a legal hold whose name is lost: it stands as {hold!r}; once it is over: {over}"
    return f"leaf {leaf} released a legal hold, and nothing says which: see `decklog legal-hold list`, and release it"


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{done} of {total} leaves", nl=done >= total, err=True)
