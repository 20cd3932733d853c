"""`decklog cluster …`: the clusters that applications are delivered to."""

from typing import Annotated

import typer

from decklog.cli import choices, named, output, report, session, waiting
from decklog.cli.views import accepted, declared
from decklog.client import api, nearest

commands = typer.Typer(help="Clusters: where applications are delivered.", no_args_is_help=True, rich_markup_mode=None)


@commands.command("list")
def list_clusters(how: output.Option = output.Format.TABLE) -> None:
    """List the declared clusters, and whether their names still stand for the same cluster."""
    with session.connect() as server:
        found = api.clusters(server)
    output.show(declared.clusters(found), how)


@commands.command("confirm")
def confirm(
    name: Annotated[str, typer.Argument(help="Name of the cluster.", metavar="NAME", callback=named.declared)],
    uid: Annotated[
        str,
        typer.Option(
            help="uid of its kube-system namespace, to be sure which one is meant.", show_default=False, metavar="UID"
        ),
    ] = "",
    reason: Annotated[
        str, typer.Option(help="Why, in your words; it is recorded.", callback=named.reason, metavar="TEXT")
    ] = "",
    wait: Annotated[
        choices.Record | None, typer.Option("--wait", help="Return only when this came true.", show_default=False)
    ] = None,
    timeout: waiting.Timeout = waiting.DEFAULT,
    how: output.Option = output.Format.TABLE,
) -> None:
    """Confirm that a name is meant to point at another cluster than before. Until then nothing is written to it."""
    seconds = waiting.seconds(timeout)
    with session.connect() as server:
        with nearest.suggesting("cluster", name, lambda: api.cluster_names(server)):
            found = api.confirm_cluster(server, name, {"uid": uid, "reason": reason})
        report.note(f"Identity of cluster {name} confirmed")
        waiting.wait(
            server,
            name,
            found,
            choices.Wait.RECORDED if wait is not None else None,
            seconds,
            look="decklog cluster list",
        )
    output.show(accepted.accepted("cluster", name, found), how)
