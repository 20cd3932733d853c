"""`decklog state --at …`: what was there at a moment, and what was different at another one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from decklog.cli import moments, named, output, report, screen, session
from decklog.cli.views import changes, words
from decklog.cli.views import state as view
from decklog.client import answers, api, nearest
from decklog.model import printable

if TYPE_CHECKING:
    from decklog.client import server

_HEADER = "# {what} as of {moment}: {count}\n"
_MASKED = "# Masked before it was recorded ('{mark}'), and not to be applied as it is: {count}\n"


def state(
    at: Annotated[str, typer.Option(help=f"The moment: {moments.FORMS}.", metavar="MOMENT")] = "now",
    diff: Annotated[
        str, typer.Option(help="Another moment: show what was different then.", metavar="MOMENT", show_default=False)
    ] = "",
    app: Annotated[
        str, typer.Option(help="Only this application's objects.", metavar="NAME", callback=named.optional)
    ] = "",
    cluster: Annotated[
        str, typer.Option(help="Only this cluster's objects.", metavar="NAME", callback=named.optional)
    ] = "",
    how: output.Option = output.Format.TABLE,
) -> None:
    """Show what was there at a moment.

    The table lists the objects of an application, a cluster, or all; -o yaml prints their manifests. With --diff: every
    field that differs between the two moments.
    """
    if app and cluster:
        raise typer.BadParameter("--app and --cluster exclude each other: an application is on one cluster")
    now = session.now()
    instants = [named.moment("--at", at, now), *([named.moment("--diff", diff, now)] if diff else [])]
    with session.connect() as server:
        exact = [one if isinstance(one, int) else api.instant_of(server, one.id) for one in instants]
        states = [_state(server, one, app, cluster) for one in exact]
        found = [one["items"] for one in states]
        nothing = view.NOTHING
        for one, versions in zip(exact, found, strict=True):
            if not versions:
                nothing = _nothing(server, one, now)
    for text in dict.fromkeys(text for one in states for text in view.unwatched(one, now)):
        report.note(text)
    if diff:
        _show_changes(found[0], found[1], how)
    elif how is output.Format.YAML:
        what = f"Application {app}" if app else (f"Cluster {cluster}" if cluster else "All clusters")
        _print_manifests(found[0], what, moments.full(exact[0], now))
    else:
        output.show(view.listing(found[0], now, nothing=nothing), how)


def _nothing(server: "server.Server", at: int, now: moments.Now) -> str:
    """What an empty answer means: that nothing was there must not be said of a time that the record does not reach."""
    begins = api.beginning(server)
    if begins is None or at < begins:
        since = moments.full(begins, now) if begins is not None else "with its first event"
        report.note(f"Note: the record begins {since}; what was there before, it does not know")
        return "Not known."
    return view.NOTHING


def _state(server: "server.Server", at: int, app: str, cluster: str) -> answers.State:
    if not (app or cluster):
        each = [_state(server, at, "", name) for name in api.cluster_names(server)]
        return answers.State(
            items=[version for one in each for version in one["items"]],
            unwatched=[application for one in each for application in one["unwatched"]],
        )
    kind, names = ("application", api.application_names) if app else ("cluster", api.cluster_names)
    with nearest.suggesting(kind, app or cluster, lambda: names(server)):
        return api.state(server, at=at, app=app, cluster=cluster)


def _show_changes(before: list[answers.Version], after: list[answers.Version], how: output.Format) -> None:
    from decklog.cli import differences

    output.show(changes.listing(differences.between(before, after)), how)


def _print_manifests(found: Sequence[answers.Version], what: str, moment: str) -> None:
    """Print manifests one by one: a cluster may hold ten thousand."""
    from decklog.cli import documents  # the YAML library is needed here alone

    screen.write(_HEADER.format(count=words.count(len(found), "object"), what=what, moment=moment))
    masked = sum(documents.masked_values(one["body"]) for one in found)
    if masked:
        screen.write(_MASKED.format(count=words.count(masked, "value"), mark=documents.MASKED_NOTE))
        report.note(f"Note: {words.count(masked, 'value')} shown masked")
    for one in found:
        body = one["body"]
        screen.write("---\n" + (_unknown(one) if body is None else documents.manifest(body)))


def _unknown(version: answers.Version) -> str:
    return f"# {printable.shown(version['object'])}: its body is not known\n"
