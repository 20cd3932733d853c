"""`decklog notice …`: what is not as it must be in what came by Kafka."""

from typing import Annotated

import typer

from decklog.cli import moments, named, output, session
from decklog.cli.views import notices as view
from decklog.client import api
from decklog.model import notice as notices

commands = typer.Typer(
    help="Notices: what is not as it must be in what came by Kafka.", no_args_is_help=True, rich_markup_mode=None
)


@commands.command("list")
def list_notices(
    kind: Annotated[notices.Kind | None, typer.Option(help="Only of this kind.", show_default=False)] = None,
    topic: Annotated[str, typer.Option(help="Only of this topic, by its full name.", metavar="TOPIC")] = "",
    since: Annotated[
        str, typer.Option(help=f"From this moment: {moments.TIMES}.", show_default=False, metavar="MOMENT")
    ] = "",
    limit: Annotated[
        int, typer.Option(help="At most so many, the newest ones.", min=1, max=api.MOST, metavar="N")
    ] = 50,
    how: output.Option = output.Format.TABLE,
) -> None:
    """List conflicts, poison, gaps and odd events, newest first.

    A conflict is an id that came again with other bytes, poison a record that is no event, a gap records that will
    never be read. Events with a wrong partition, from the future, or of a replaced member are recorded all the same.
    """
    now = session.now()
    query = {
        "kind": None if kind is None else kind.value,
        "topic": topic or None,
        "since": named.instant("--since", since, now),
    }
    with session.connect() as server:
        found = api.notices(server, query, limit)
    output.show(view.listing(found, now), how)
