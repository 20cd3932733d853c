"""`decklog timeline`: what happened, to what, and who did it."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from decklog.cli import moments, named, output, report, screen, session
from decklog.cli.views import timeline as view
from decklog.client import answers, api, failures, follow, nearest

if TYPE_CHECKING:
    from decklog.client import server

LIMIT = 50
_KINDS_OF_LEAVES = ["Conflict", "Erased", "Erasure", "Gap", "Poison", "Rotation"]
"""What the ledger itself says of the stream of events."""


def timeline(
    app: Annotated[str, typer.Option(help="Only this application.", metavar="NAME", callback=named.optional)] = "",
    object_: Annotated[
        str,
        typer.Option(
            "--object",
            help="Only this object: 'Deployment.apps shop/web', or apps/Deployment/shop/web.",
            metavar="OBJECT",
            callback=named.kubernetes_object,
        ),
    ] = "",
    actor: Annotated[str, typer.Option(help="Only of this principal, author or last field manager.")] = "",
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
        "object": object_ or None,
        "actor": actor or None,
        "kind": kind or None,
    }
    times = _times(since, until, now)
    with session.connect() as server:
        found = api.timeline(server, query | times, limit + 1)[::-1]  # one more tells whether there are more
        older, found = len(found) > limit, found[-limit:]
        if not found:
            _explain_nothing(server, app, kind)
        if not followed:
            output.show(view.listing(found, now), how)
            if older and how in (output.Format.TABLE, output.Format.NAME):
                report.note(f"Note: older lines are not shown, only the newest {limit}: --limit N shows more")
            return
        _print(found, how)
        after = found[-1]["leaf"] if found else -1
        for moment in follow.timeline(server, query, after=after, sleep=time.sleep, lost=_lost):
            _print([moment], how)


def _times(since: str, until: str, now: moments.Now) -> dict[str, int | None]:
    begin, end = named.instant("--since", since, now), named.instant("--until", until, now)
    if begin is not None and end is not None and begin > end:
        raise typer.BadParameter(f"--since {since} is after --until {until}: nothing can lie between them")
    return {"since": begin, "until": end}


def _explain_nothing(server: "server.Server", app: str, kind: str) -> None:
    """Nothing is found for a name that is misspelled: say so, rather than that nothing happened."""
    if kind:
        from decklog.model import events  # the wire contract is needed here alone

        known = [one.message.DESCRIPTOR.name for one in events.KINDS] + _KINDS_OF_LEAVES
        if kind not in known:
            raise typer.BadParameter(f"there is no {kind!r}. {nearest.hint(kind, known)}", param_hint="--kind")
    if app and not api.timeline(server, {"app": app}, 1):
        names = api.application_names(server)
        if app not in names:
            raise failures.NotFound(f"there is no application {app!r}", hint=nearest.hint(app, names))


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
