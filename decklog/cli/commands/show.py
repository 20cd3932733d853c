"""`decklog show EVENT`: one event, what it says, and what proves it."""

from typing import Annotated

import typer

from decklog.cli import named, output, session
from decklog.cli.views import event as view
from decklog.client import api


def show(
    event: Annotated[
        str,
        typer.Argument(
            help="Id of an event, the beginning of one, or the number of its leaf.",
            metavar="EVENT",
            callback=named.event,
        ),
    ],
    how: output.Option = output.Format.TABLE,
) -> None:
    """Show one event and its receipt.

    What it says, where Kafka kept it, and what the ledger commits to.
    """
    with session.connect() as server:
        found = api.event(server, event)
    output.show(view.single(found, session.now()), how)
