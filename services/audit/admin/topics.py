"""`decklog admin topics ensure`: the topics of an installation, made and checked."""

import asyncio

import typer

from decklog.adapters.kafka import admin, connection
from decklog.cli import stores
from decklog.model import topics
from decklog.runtime import topics as runtime_topics

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="Kafka topics of this installation.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Kafka topics of this installation."""


@app.command()
def ensure(
    kafka: stores.Kafka,
    prefix: stores.Prefix = topics.DEFAULT_PREFIX,
    fix: bool = typer.Option(False, "--fix", help="Correct wrong settings; partition counts are never changed."),
    dev: bool = typer.Option(False, "--dev", help="One replica will do (so it is with a single broker)."),
) -> None:
    """Create the topics that are missing and check those that exist; wrong settings are named and refused."""
    done = asyncio.run(_ensure(kafka, prefix, fix=fix, dev=dev))
    if done.dev:
        typer.echo("replication 1, min.insync.replicas 1: good for development only", err=True)
    for fault in done.mended:
        typer.echo(f"corrected {fault.topic}: {fault.setting[0]}={fault.setting[1]}" if fault.setting else str(fault))
    for name in done.created:
        typer.echo(f"created {name}")
    if not done.created and not done.mended:
        typer.echo(f"{len(topics.ALL)} topics are as they must be")


async def _ensure(kafka: str, prefix: str, *, fix: bool, dev: bool) -> runtime_topics.Ensured:
    port = admin.KafkaTopics(connection.Connection(bootstrap=kafka, client_id="decklog-admin"))
    try:
        return await runtime_topics.ensure(port, prefix, fix=fix, dev=dev)
    finally:
        await port.close()
