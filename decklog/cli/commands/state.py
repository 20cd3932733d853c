"""`decklog state --at …`: what a cluster looked like at a moment."""

from typing import Annotated

import typer

from decklog.cli import moments, output, report, screen, session
from decklog.cli.views import state as view
from decklog.client import answers, api

_HEADER = "# {count} objects of {what} as of {moment}\n"
_MASKED = (
    "# {count} values were masked before they were recorded (marked '{mark}'): these cannot be applied as they are\n"
)


def state(
    at: Annotated[str, typer.Option(help=f"The moment: {moments.FORMS}.")] = "now",
    app: Annotated[str, typer.Option(help="Only this application's objects.", metavar="NAME")] = "",
    cluster: Annotated[str, typer.Option(help="Only this cluster's objects.", metavar="NAME")] = "",
    how: output.Option = output.Format.TABLE,
) -> None:
    """Show what was there at a moment.

    The table lists the objects of an application, a cluster, or all; -o yaml prints their manifests.
    """
    now = session.now()
    try:
        moment = moments.parse(at, now)
    except moments.NotAMoment as error:
        raise typer.BadParameter(str(error), param_hint="--at") from error
    with session.connect() as server:
        instant = moment if isinstance(moment, int) else api.instant_of(server, moment.id)
        found = api.state(server, at=instant, app=app, cluster=cluster)
    if how is output.Format.YAML:
        what = f"application {app}" if app else (f"cluster {cluster}" if cluster else "all clusters")
        _manifests(found, what, moments.full(instant, now))
    else:
        output.show(view.listing(found, now), how)


def _manifests(found: list[answers.Version], what: str, moment: str) -> None:
    """Print manifests one by one: a cluster may hold ten thousand."""
    from decklog.cli import documents  # the YAML library is needed here alone

    screen.write(_HEADER.format(count=len(found), what=what, moment=moment))
    masked = sum(documents.masked_values(one["body"]) for one in found)
    if masked:
        screen.write(_MASKED.format(count=masked, mark=documents.MASKED_NOTE))
        report.note(f"Note: {masked} values are shown masked")
    for document in documents.manifests(one["body"] for one in found):
        screen.write(document)
