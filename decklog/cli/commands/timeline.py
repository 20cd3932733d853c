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
KINDS_OF_LEAVES = ("Conflict", "Erased", "Erasure", "Gap", "Late", "Poison", "Rotation")
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
    actor: Annotated[
        str, typer.Option(help="Only of this principal, author or last field manager.", metavar="NAME")
    ] = "",
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this type of event, such as DriftObserved. Repeat it.", show_default=False, metavar="KIND"
        ),
    ] = None,
    since: Annotated[
        str, typer.Option(help=f"From this moment: {moments.FORMS}.", show_default=False, metavar="MOMENT")
    ] = "",
    until: Annotated[str, typer.Option(help="Up to this moment.", show_default=False, metavar="MOMENT")] = "",
    limit: Annotated[int, typer.Option(help="At most so many lines, the newest ones.", min=1, metavar="N")] = LIMIT,
    followed: Annotated[bool, typer.Option("--follow", "-f", help="Go on as things happen, until Ctrl-C.")] = False,
    how: output.Option = output.Format.TABLE,
) -> None:
    """Show what happened, oldest first.

    With --follow it goes on as things happen, over restarts of the server.
    """
    now = session.now()
    if followed and until:
        raise typer.BadParameter("--follow has no end, so it cannot have --until")
    kinds = [one for one in kind or [] if one]
    query: dict[str, api.Value] = {
        "app": app or None,
        "object": object_ or None,
        "actor": actor or None,
        "kind": kinds or None,
    }
    begin, end = _moment("--since", since, now), _moment("--until", until, now)
    _check_order(since, until, begin, end)
    with session.connect() as server:
        times = {"since": _recorded(server, begin), "until": _recorded(server, end)}
        _check_order(since, until, *times.values())
        answer = api.timeline(server, query | times, limit + 1)  # one more tells whether there are more
        found = answer["items"][::-1]
        older, found = len(found) > limit, found[-limit:]
        if not found:
            _explain_nothing(server, app, kinds)
        if not followed:
            output.show(view.listing(found, now), how)
            if older and how in (output.Format.TABLE, output.Format.NAME):
                report.note(f"Note: older lines are not shown, only the newest {limit}: --limit N shows more")
            return
        _print(found, how)
        for moment in follow.timeline(server, query, after=answer["before_leaf"] - 1, sleep=time.sleep, lost=_lost):
            _print([moment], how)


def _moment(option: str, text: str, now: moments.Now) -> int | moments.AtEvent | None:
    return named.moment(option, text, now) if text else None


def _recorded(server: "server.Server", moment: int | moments.AtEvent | None) -> int | None:
    """The instant by which the timeline is cut: when something was recorded."""
    return api.event(server, moment.id)["recorded_us"] if isinstance(moment, moments.AtEvent) else moment


def _check_order(
    since: str, until: str, begin: int | moments.AtEvent | None, end: int | moments.AtEvent | None
) -> None:
    if isinstance(begin, int) and isinstance(end, int) and begin > end:
        raise typer.BadParameter(f"--since {since} is after --until {until}: nothing can lie between them")


def _explain_nothing(server: "server.Server", app: str, kinds: Sequence[str]) -> None:
    """Nothing is found for a name that is misspelled: say so, rather than that nothing happened."""
    if kinds:
        from decklog.model import events  # the wire contract is needed here alone

        known = [one.message.DESCRIPTOR.name for one in events.KINDS] + list(KINDS_OF_LEAVES)
        for kind in kinds:
            if kind not in known:
                raise typer.BadParameter(f"there is no {kind!r}. {nearest.hint(kind, known)}", param_hint="--kind")
    if app and not api.timeline(server, {"app": app}, 1)["items"]:
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
