"""`decklog timeline`: what happened, to what, and who did it."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from decklog.cli import moments, output, report, screen, session
from decklog.cli.views import timeline as view
from decklog.cli.views import words
from decklog.client import answers, api, failures, follow

LIMIT = 50


def timeline(
    app: Annotated[str, typer.Option(help="Only this application.", metavar="NAME")] = "",
    object_: Annotated[
        str,
        typer.Option(
            "--object",
            help="Only this object: 'Deployment.apps shop/web', or apps/Deployment/shop/web.",
            metavar="OBJECT",
        ),
    ] = "",
    actor: Annotated[str, typer.Option(help="Only what this principal, author or field manager did.")] = "",
    kind: Annotated[str, typer.Option(help="Only this type of event, such as DriftObserved.")] = "",
    since: Annotated[str, typer.Option(help=f"From this moment: {moments.FORMS}.", show_default=False)] = "",
    until: Annotated[str, typer.Option(help="Up to this moment.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(help="At most so many lines, the newest ones.", min=1)] = LIMIT,
    followed: Annotated[bool, typer.Option("--follow", "-f", help="Go on as things happen, until Ctrl-C.")] = False,
    how: output.Option = output.Format.TABLE,
) -> None:
    """Show what happened, oldest first.

    With --follow it goes on as things happen, over restarts of the server.
    """
    now = session.now()
    if followed and until:
        raise typer.BadParameter("--follow has no end, so it cannot have --until")
    query: dict[str, str | int | bool | None] = {
        "app": app or None,
        "object": words.object_key(object_) or None,
        "actor": actor or None,
        "kind": kind or None,
    }
    times = {"since": _instant("--since", since, now), "until": _instant("--until", until, now)}
    with session.connect() as server:
        found = api.timeline(server, query | times, limit)[::-1]
        if not followed:
            output.show(view.listing(found, now), how)
            return
        _print(found, how)
        after = found[-1]["leaf"] if found else -1
        for moment in follow.timeline(server, query, after=after, sleep=time.sleep, lost=_lost):
            _print([moment], how)


def _instant(option: str, text: str, now: moments.Now) -> int | None:
    try:
        return moments.parse_instant(text, now) if text else None
    except moments.NotAMoment as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _print(found: Sequence[answers.Moment], how: output.Format) -> None:
    for moment in found:
        match how:
            case output.Format.TABLE:
                screen.draw([view.line(moment, session.now())])
            case output.Format.NAME:
                screen.names([view.name(moment)])
            case output.Format.JSON | output.Format.YAML:
                output.stream(moment, how)


def _lost(error: failures.Unavailable) -> None:
    report.note(f"Note: {error.problem}; trying again, and nothing will be missed")
