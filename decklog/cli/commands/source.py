"""`decklog source …`: the repositories that are followed."""

from typing import Annotated

import typer

from decklog.cli import named, output, report, session
from decklog.cli.views import accepted, declared
from decklog.client import api, nearest

_HELP = """Sources: the repositories that are followed.

ingest looks at each as often as the source's pollSeconds or ingest's own setting says. To have it look at one now:

\b
curl -X POST -H "Authorization: Bearer $(cat $DECKLOG_TOKEN_FILE)" \\
    "$DECKLOG_INGEST_OPS/trigger?source=NAME"

DECKLOG_INGEST_OPS is the operations address of ingest, on the machine that it runs on; .decklog/env sets it. In a hook
of the repository (post-commit, or post-receive where others push to) it makes every commit seen at once.
"""

commands = typer.Typer(
    help=_HELP,
    short_help="Sources: the repositories that are followed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@commands.command("list")
def list_sources(how: output.Option = output.Format.TABLE) -> None:
    """List the declared sources, and why those that cannot be followed cannot."""
    with session.connect() as server:
        found = api.sources(server)
    output.show(declared.sources(found, session.now()), how)


@commands.command("delete")
def delete(
    name: Annotated[str, typer.Argument(help="Name of the source.", metavar="NAME", callback=named.declared)],
    reason: Annotated[
        str, typer.Option(help="Why, in your words; it is recorded.", callback=named.reason, metavar="TEXT")
    ] = "",
    how: output.Option = output.Format.TABLE,
) -> None:
    """Remove a source that was declared with `app create --repo` and that no application uses."""
    with session.connect() as server, nearest.suggesting("source", name, lambda: api.source_names(server)):
        found = api.delete_source(server, name, reason=reason)
    report.note(f"Source {name} removed; it is no longer followed")
    output.show(accepted.accepted("source", name, found), how)
