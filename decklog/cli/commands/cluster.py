"""`decklog cluster …`: the clusters that applications are delivered to."""

import typer

from decklog.cli import output, session
from decklog.cli.views import declared
from decklog.client import api

commands = typer.Typer(help="Clusters: where applications are delivered.", no_args_is_help=True, rich_markup_mode=None)


@commands.callback()
def _group() -> None:
    """Keep `list` a command of its own even while it is the only one."""


@commands.command("list")
def list_clusters(how: output.Option = output.Format.TABLE) -> None:
    """List the declared clusters, and whether their names still stand for the same cluster."""
    with session.connect() as server:
        found = api.clusters(server)
    output.show(declared.clusters(found), how)
