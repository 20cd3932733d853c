"""`decklog app create`: declare an application through the API."""

from typing import Annotated, Any

import typer

from decklog.cli import app_options, choices, named, output, report, repository, session, waiting
from decklog.cli.views import accepted, requests
from decklog.client import api


def create(
    name: Annotated[
        str, typer.Argument(help="Name: a DNS label, unique per installation.", metavar="NAME", callback=named.new)
    ],
    path: app_options.Path,
    dest_cluster: Annotated[
        str, typer.Option(help="Declared cluster to deliver to.", metavar="NAME", callback=named.new)
    ],
    repo: Annotated[
        str, typer.Option(help="Repository: a URL or a local path. Reuses or declares a source.", metavar="URL|PATH")
    ] = "",
    source: Annotated[
        str, typer.Option(help="Declared source, instead of --repo.", metavar="NAME", callback=named.new_optional)
    ] = "",
    dest_namespace: app_options.DestNamespace = None,
    ref: app_options.Ref = None,
    renderer: Annotated[
        choices.Renderer | None, typer.Option(help="How manifests are made; found out if absent.", show_default=False)
    ] = None,
    mode: app_options.Mode = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what Git no longer has.")] = False,
    conflicts: app_options.Conflicts = None,
    on_delete: app_options.OnDelete = None,
    health_timeout: app_options.HealthTimeout = None,
    owner: app_options.Owner = None,
    reason: app_options.Reason = "",
    wait: waiting.Option = None,
    timeout: waiting.Timeout = waiting.DEFAULT,
    how: output.Option = output.Format.TABLE,
) -> None:
    """Declare an application: a folder of a repository that a cluster is to be kept equal to."""
    if bool(repo) == bool(source):
        raise typer.BadParameter("name where the manifests are: either --repo URL|PATH or --source NAME")
    seconds = waiting.seconds(timeout)
    spec = spec_of(
        source=source,
        path=path,
        ref=ref,
        renderer=renderer,
        dest_cluster=dest_cluster,
        dest_namespace=dest_namespace,
        mode=mode,
        prune=prune,
        conflicts=conflicts,
        on_delete=on_delete,
        health_timeout=health_timeout,
        owner=owner,
    )
    body = _body(name, repository.locate(repo, path) if repo else "", spec, reason)
    with session.connect() as server:
        found = api.create_application(server, body)
        report.note(f"Application {name} declared\n{requests.LOOK_NOW}")
        waiting.wait(server, name, found, wait, seconds)
    output.show(accepted.accepted("application", name, found), how)


def spec_of(*, path: str, health_timeout: str | None = None, **flags: Any) -> dict[str, Any]:
    """The spec of a declaration as its documents spell it: only what was said, so that defaults hold for the rest."""
    said = {app_options.camel(name): value for name, value in flags.items() if value}
    seconds = app_options.whole_seconds(health_timeout)
    return said | {"path": path} | ({"healthTimeoutSeconds": seconds} if seconds else {})


def _body(name: str, repo: str, spec: dict[str, Any], reason: str) -> dict[str, Any]:
    return {"name": name, "spec": spec} | ({"repo": repo} if repo else {}) | ({"reason": reason} if reason else {})
