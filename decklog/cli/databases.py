"""The option `--postgres` of the commands that need a database."""

import typer

from decklog.model import addresses


def checked(uri: str) -> str:
    """A callback of the option: the URI, if a server can be asked at all. The message repeats nothing of it."""
    try:
        addresses.postgres(uri)
    except addresses.Wrong as error:
        raise typer.BadParameter(f"{error}. {addresses.POSTGRES_HINT}") from error
    return uri
