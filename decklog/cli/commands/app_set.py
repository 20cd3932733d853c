"""`decklog app set`: change what is said of an application that was declared through the API."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from decklog.cli import app_options, named, output, report, session, waiting
from decklog.cli.views import accepted, requests
from decklog.client import api, nearest


def set_(
    name: Annotated[str, typer.Argument(help="Name of the application.", metavar="NAME", callback=named.declared)],
    mode: app_options.Mode = None,
    prune: Annotated[
        bool | None, typer.Option("--prune/--no-prune", help="Delete what Git no longer has.", show_default=False)
    ] = None,
    path: app_options.OtherPath = None,
    ref: app_options.Ref = None,
    dest_namespace: app_options.DestNamespace = None,
    conflicts: app_options.Conflicts = None,
    on_delete: app_options.OnDelete = None,
    health_timeout: app_options.HealthTimeout = None,
    owner: app_options.Owner = None,
    reason: app_options.Reason = "",
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
    said = {app_options.camel(name): value for name, value in flags.items() if value is not None}
    said |= {name: None for name in ("ref", "destNamespace", "owner") if said.get(name) == ""}
    if health_timeout is not None:
        said["healthTimeoutSeconds"] = app_options.whole_seconds(health_timeout) or None
    return said
