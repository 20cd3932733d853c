"""Options of the commands that talk to Postgres and Kafka themselves, each declared once."""

from typing import Annotated

import typer

from decklog.model import addresses


def checked(uri: str) -> str:
    """A callback of the option: the URI, if a server can be asked at all. The message repeats nothing of it."""
    try:
        addresses.postgres(uri)
    except addresses.Wrong as error:
        raise typer.BadParameter(f"{error}. {addresses.POSTGRES_HINT}") from error
    return uri


Postgres = Annotated[
    str,
    typer.Option(
        "--postgres",
        envvar="DECKLOG_POSTGRES",
        help="The database, postgresql://…",
        metavar="URI",
        show_default=False,
        callback=checked,
    ),
]
Kafka = Annotated[
    str,
    typer.Option("--kafka", envvar="DECKLOG_KAFKA", help="Bootstrap servers, host:port,…", metavar="HOST:PORT"),
]
Prefix = Annotated[
    str,
    typer.Option("--prefix", envvar="DECKLOG_TOPIC_PREFIX", help="Topics are named PREFIX.…", metavar="PREFIX"),
]
