"""`decklog admin …`: commands that need Kafka or Postgres, loaded from where the services are installed.

They are found as entry points of the group `decklog.admin` and imported only when they run: listing them must work
where the services are absent, and cost nothing.
"""

import importlib.metadata
import logging
from typing import Any

import typer
import typer.core
import typer.main

from decklog.client import failures

ENTRY_POINTS = "decklog.admin"

_SUMMARIES = {
    "audit-db": "Recompute tree, receipts and commitments from the database, and compare.",
    "postgres": "Make and check the logins with which audit's parts work.",
    "ledger": "Recover a database that is behind its published log.",
    "rebuild": "Rebuild the projections from leaf 0; --check compares them with the live ones.",
    "repair": "Write reconcile's state topic again, from the ledger.",
    "topics": "Create the topics, and check those that exist.",
}

commands = typer.Typer(
    help="Operate an installation.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@commands.callback()
def _group() -> None:
    """Exist: a Typer application needs something of its own."""


class Group(typer.core.TyperGroup):
    """A group whose commands are entry points, each loaded when it is run."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (the signature is typer's)
        """The names of the installed commands."""
        return sorted(_entry_points())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load a command. Raises Misconfigured if what it needs is not installed here."""
        self.commands = dict.fromkeys(_entry_points())  # type: ignore[assignment]  # what suggestions are made of
        entry = _entry_points().get(cmd_name)
        return None if entry is None or ctx.resilient_parsing else _load(entry)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands without importing them."""
        rows = [(name, _SUMMARIES.get(name, "")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    return {entry.name: entry for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)}


def _load(entry: importlib.metadata.EntryPoint) -> Any:
    logging.getLogger().addHandler(logging.NullHandler())  # libraries log what the command's own failure tells
    try:
        loaded = entry.load()
    except ModuleNotFoundError as error:
        raise failures.Misconfigured(
            f"`decklog admin {entry.name}` is not installed here: {error.name} is missing",
            where=entry.value,
            hint="Run it where the services are: in a checkout (.venv/bin/decklog), or in their image",
        ) from error
    command = typer.main.get_command(loaded)
    command.name = entry.name
    return command
