"""`decklog source …`: the repositories that are followed."""

import typer

from decklog.cli import output, session
from decklog.cli.views import declared
from decklog.client import api

_HELP = """Sources: the repositories that are followed.

ingest looks at each as often as the source's pollSeconds or ingest's own setting says. To have it look at one now:

\b
curl -X POST -H "Authorization: Bearer $(cat $DECKLOG_TOKEN_FILE)" \\
    "$DECKLOG_INGEST_OPS/trigger?source=NAME"

DECKLOG_INGEST_OPS is the operations address of ingest, on the machine that it runs on; .decklog/env sets it. In a hook
of the repository (post-commit, or post-receive where others push to) it makes every commit seen at once.
"""

commands = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None)


@commands.callback(short_help="Sources: the repositories that are followed.")
def _group() -> None:
    """Keep `list` a command of its own even while it is the only one."""


@commands.command("list")
def list_sources(how: output.Option = output.Format.TABLE) -> None:
    """List the declared sources, and why those that cannot be followed cannot."""
    with session.connect() as server:
        found = api.sources(server)
    output.show(declared.sources(found, session.now()), how)
