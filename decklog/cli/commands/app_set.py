"""`decklog app set`: change what is said of an application that was declared through the API."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from decklog.cli import choices, named, output, report, session, waiting
from decklog.cli.commands import app_create
from decklog.cli.views import accepted, requests
from decklog.client import api, nearest


def set_(
    name: Annotated[str, typer.Argument(help="Name of the application.", metavar="NAME", callback=named.declared)],
    mode: Annotated[
        choices.Mode | None, typer.Option(help="What is done about a difference.", show_default=False)
    ] = None,
    prune: Annotated[
        bool | None, typer.Option("--prune/--no-prune", help="Delete what Git no longer has.", show_default=False)
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(
            help="Folder of the manifests within the repository.",
            metavar="DIR",
            show_default=False,
            callback=named.folder_optional,
        ),
    ] = None,
    ref: Annotated[
        str | None, typer.Option(help="Branch, or full ref; '' for the default branch.", show_default=False)
    ] = None,
    dest_namespace: Annotated[
        str | None,
        typer.Option(
            help="Namespace for objects that name none; '' for none.",
            metavar="NAMESPACE",
            show_default=False,
            callback=named.new_optional,
        ),
    ] = None,
    conflicts: Annotated[
        choices.Conflicts | None,
        typer.Option(help="Fields that others own: taken and recorded ('force'), or a failure.", show_default=False),
    ] = None,
    on_delete: Annotated[
        choices.OnDelete | None,
        typer.Option(help="What becomes of the objects when the declaration goes.", show_default=False),
    ] = None,
    health_timeout: Annotated[
        str | None,
        typer.Option(
            help="How long it may be 'progressing' or 'missing', such as 5m; '' for the usual time.",
            metavar="DURATION",
            show_default=False,
        ),
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Who to ask about it; '' for nobody.", show_default=False)] = None,
    reason: Annotated[str, typer.Option(help="Why, in your words; it is recorded.", callback=named.reason)] = "",
    wait: waiting.Option = None,
    timeout: waiting.Timeout = waiting.DEFAULT,
    how: output.Option = output.Format.TABLE,
) -> None:
    """Change an application that was declared through the API; what is not named stays as it is."""
    changes = changes_of(
        mode=mode,
        prune=prune,
        path=path,
        ref=ref,
        dest_namespace=dest_namespace,
        conflicts=conflicts,
        on_delete=on_delete,
        health_timeout=health_timeout,
        owner=owner,
    )
    if not changes:
        raise typer.BadParameter("say what is to change, such as --mode detect")
    seconds = waiting.seconds(timeout)
    with session.connect() as server:
        with nearest.suggesting("application", name, lambda: api.application_names(server)):
            before = api.application(server, name)["spec"] or {}
            found = api.change_application(server, name, changes, reason=reason)
        report.note(requests.changed(name, before, changes))
        waiting.wait(server, name, found, wait, seconds)
    output.show(accepted.accepted("application", name, found), how)


def changes_of(*, health_timeout: str | None, **flags: Any) -> Mapping[str, Any]:
    """The fields of a spec that were named, as its documents spell them; None where the default is to hold again."""
    said = {app_create.camel(name): value for name, value in flags.items() if value is not None}
    said |= {name: None for name in ("ref", "destNamespace", "owner") if said.get(name) == ""}
    if health_timeout is not None:
        said["healthTimeoutSeconds"] = app_create.whole_seconds(health_timeout) or None
    return said
