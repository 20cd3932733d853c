"""`decklog app create`: declare an application through the API."""

from typing import Annotated, Any

import typer

from decklog.cli import choices, moments, named, output, report, repository, session, waiting
from decklog.cli.views import accepted, requests
from decklog.client import api


def create(
    name: Annotated[
        str, typer.Argument(help="Name: a DNS label, unique per installation.", metavar="NAME", callback=named.new)
    ],
    path: Annotated[
        str, typer.Option(help="Folder of the manifests within the repository.", metavar="DIR", callback=named.folder)
    ],
    dest_cluster: Annotated[
        str, typer.Option(help="Declared cluster to deliver to.", metavar="NAME", callback=named.new)
    ],
    repo: Annotated[
        str, typer.Option(help="Repository: a URL or a local path. Reuses or declares a source.", metavar="URL|PATH")
    ] = "",
    source: Annotated[
        str, typer.Option(help="Declared source, instead of --repo.", metavar="NAME", callback=named.new_optional)
    ] = "",
    dest_namespace: Annotated[
        str,
        typer.Option(
            help="Namespace for objects that name none.",
            metavar="NAMESPACE",
            show_default=False,
            callback=named.new_optional,
        ),
    ] = "",
    ref: Annotated[
        str, typer.Option(help="Branch, or full ref; the default branch if absent.", show_default=False)
    ] = "",
    renderer: Annotated[
        choices.Renderer | None, typer.Option(help="How manifests are made; found out if absent.", show_default=False)
    ] = None,
    mode: Annotated[
        choices.Mode | None,
        typer.Option(help="What is done about a difference; 'detect' if absent.", show_default=False),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what Git no longer has.")] = False,
    conflicts: Annotated[
        choices.Conflicts | None,
        typer.Option(help="Fields that others own: taken and recorded ('force'), or a failure.", show_default=False),
    ] = None,
    on_delete: Annotated[
        choices.OnDelete | None,
        typer.Option(help="What becomes of the objects when the declaration goes.", show_default=False),
    ] = None,
    health_timeout: Annotated[
        str,
        typer.Option(
            help="How long it may be 'progressing' or 'missing', such as 5m.", metavar="DURATION", show_default=False
        ),
    ] = "",
    owner: Annotated[str, typer.Option(help="Who to ask about it.")] = "",
    reason: Annotated[str, typer.Option(help="Why, in your words; it is recorded.", callback=named.reason)] = "",
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


def spec_of(*, path: str, health_timeout: str = "", **flags: Any) -> dict[str, Any]:
    """The spec of a declaration as its documents spell it: only what was said, so that defaults hold for the rest."""
    said = {camel(name): value for name, value in flags.items() if value}
    seconds = whole_seconds(health_timeout)
    return said | {"path": path} | ({"healthTimeoutSeconds": seconds} if seconds else {})


def camel(name: str) -> str:
    """A flag's name as a document spells it: `dest_namespace` → `destNamespace`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def whole_seconds(text: str) -> int:
    """The seconds of a health timeout; 0 where none is given. Raises BadParameter."""
    if not text:
        return 0
    try:
        seconds = moments.duration_us(text) // moments.SECOND
    except moments.NotAMoment as error:
        raise typer.BadParameter(str(error), param_hint="--health-timeout") from error
    if not 0 < seconds < 2**31:
        raise typer.BadParameter(
            f"{text!r} is too {'long' if seconds else 'short'}; write 1s or more, such as 5m",
            param_hint="--health-timeout",
        )
    return seconds


def _body(name: str, repo: str, spec: dict[str, Any], reason: str) -> dict[str, Any]:
    return {"name": name, "spec": spec} | ({"repo": repo} if repo else {}) | ({"reason": reason} if reason else {})
