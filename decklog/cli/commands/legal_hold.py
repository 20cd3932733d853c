"""`decklog legal-hold …`: while one stands, nothing is erased."""

from typing import Annotated

import typer

from decklog.cli import choices, output, report, session, waiting
from decklog.cli.views import accepted, erasure
from decklog.client import api

commands = typer.Typer(
    help="Legal holds: while one stands, nothing is erased.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(help="What it is called, such as the number of a case.", metavar="NAME")]
Reason = Annotated[str, typer.Option(help="Why, in your words; it is recorded.", metavar="TEXT")]


@commands.command("list")
def list_holds(how: output.Option = output.Format.TABLE) -> None:
    """List the legal holds that stand."""
    with session.connect() as server:
        found = api.legal_holds(server)
    output.show(erasure.holds(found, session.now()), how)


@commands.command("place")
def place(
    name: Name, reason: Reason, timeout: waiting.Timeout = waiting.DEFAULT, how: output.Option = output.Format.TABLE
) -> None:
    """Forbid every erasure until the hold is released. Returns when it is in force."""
    seconds = waiting.seconds(timeout)
    with session.connect() as server:
        found = api.place_legal_hold(server, name, reason)
        waiting.wait(
            server, f"legal hold {name}", found, choices.Wait.RECORDED, seconds, look="decklog legal-hold list"
        )
    report.note(f"Legal hold {name} stands: nothing is erased")
    output.show(accepted.accepted("legal hold", name, found), how)


@commands.command("release")
def release(
    name: Name, reason: Reason, timeout: waiting.Timeout = waiting.DEFAULT, how: output.Option = output.Format.TABLE
) -> None:
    """End a legal hold."""
    seconds = waiting.seconds(timeout)
    with session.connect() as server:
        found = api.release_legal_hold(server, name, reason)
        waiting.wait(
            server, f"legal hold {name}", found, choices.Wait.RECORDED, seconds, look="decklog legal-hold list"
        )
    report.note(f"Legal hold {name} released")
    output.show(accepted.accepted("legal hold", name, found), how)
