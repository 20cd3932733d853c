"""`decklog source …`: the repositories that are followed."""

import typer

from decklog.cli import output, session
from decklog.cli.views import declared
from decklog.client import api

commands = typer.Typer(help="Sources: the repositories that are followed.", no_args_is_help=True, rich_markup_mode=None)


@commands.callback()
def _group() -> None:
    """Keep `list` a command of its own even while it is the only one."""


@commands.command("list")
def list_sources(how: output.Option = output.Format.TABLE) -> None:
    """List the declared sources, and why those that cannot be followed cannot."""
    with session.connect() as server:
        found = api.sources(server)
    output.show(declared.sources(found, session.now()), how)
