"""`decklog drift …`: where clusters differ, or differed, from Git."""

from typing import Annotated

import typer

from decklog.cli import named, output, session
from decklog.cli.views import drift as view
from decklog.client import api, nearest

commands = typer.Typer(help="Drift: where a cluster differs from Git.", no_args_is_help=True, rich_markup_mode=None)


@commands.command("list")
def list_drift(
    app: Annotated[str, typer.Option(help="Only this application.", metavar="NAME", callback=named.optional)] = "",
    resolved: Annotated[bool, typer.Option("--all", "-a", help="Also what is over.")] = False,
    limit: Annotated[
        int, typer.Option(help="At most so many, the newest ones.", min=1, max=api.MOST, metavar="N")
    ] = 100,
    how: output.Option = output.Format.TABLE,
) -> None:
    """List open drift; with --all, also what is over."""
    with session.connect() as server:
        found = api.drift(server, app=app, phase="all" if resolved else "open", limit=limit)
        if app and not found:
            with nearest.suggesting("application", app, lambda: api.application_names(server)):
                api.application(server, app)
    output.show(view.listing(found, session.now()), how)


@commands.command("show")
def show(
    episode: Annotated[
        str,
        typer.Argument(help="Id of the episode, or the beginning of one.", metavar="EPISODE", callback=named.episode),
    ],
    how: output.Option = output.Format.TABLE,
) -> None:
    """Show one episode: what differs, and the field managers that the API server remembers for it."""
    with session.connect() as server:
        found = api.episode(server, episode)
    output.show(view.single(found, session.now()), how)
