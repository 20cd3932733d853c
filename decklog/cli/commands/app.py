"""`decklog app …`: declare applications, look at them, ask for syncs, remove them."""

import sys
from typing import Annotated

import typer

from decklog.cli import app_options, named, output, report, session, waiting
from decklog.cli.commands import app_create, app_set
from decklog.cli.views import accepted, applications, requests
from decklog.client import api, nearest

commands = typer.Typer(help="Applications: what is kept equal to Git.", no_args_is_help=True, rich_markup_mode=None)
commands.command("create")(app_create.create)
commands.command("set")(app_set.set_)

Name = Annotated[str, typer.Argument(help="Name of the application.", metavar="NAME", callback=named.declared)]


@commands.command("list")
def list_applications(how: output.Option = output.Format.TABLE) -> None:
    """List all applications: how each compares with Git, and how it is."""
    with session.connect() as server:
        found = api.applications(server)
        refused = api.refusals(server) if how is output.Format.TABLE else []
    output.show(applications.listing(found, refused, session.now()), how)


@commands.command("get")
def get(name: Name, how: output.Option = output.Format.TABLE) -> None:
    """Show one application with its objects."""
    with session.connect() as server, nearest.suggesting("application", name, lambda: api.application_names(server)):
        found = api.application(server, name)
    output.show(applications.single(found, session.now()), how)


@commands.command("sync")
def sync(
    name: Name,
    commit: Annotated[
        str,
        typer.Option(
            help="Commit to sync to; the newest one that is known if absent.",
            show_default=False,
            callback=named.commit,
            metavar="COMMIT",
        ),
    ] = "",
    prune: Annotated[bool, typer.Option("--prune", help="Also delete what Git no longer has, this time.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Try it on the API server without a write.")] = False,
    reason: app_options.Reason = "",
    wait: waiting.Option = None,
    timeout: waiting.Timeout = waiting.DEFAULT,
    how: output.Option = output.Format.TABLE,
) -> None:
    """Ask for a sync now, whatever the application's mode."""
    seconds = waiting.seconds(timeout)
    body = {"commit": commit, "prune": prune, "dryRun": dry_run, "reason": reason}
    with session.connect() as server:
        with nearest.suggesting("application", name, lambda: api.application_names(server)):
            known = api.application(server, name)
            found = api.sync(server, name, body)
        moved = next((one["moved_us"] for one in api.sources(server) if one["name"] == known["spec"]["source"]), None)
        report.note(requests.requested(known, commit, dry_run=dry_run, moved_us=moved, now=session.now()))
        waiting.wait(server, name, found, wait, seconds, dry_run=dry_run)
    output.show(accepted.accepted("application", name, found), how)


@commands.command("delete")
def delete(
    name: Name,
    cascade: Annotated[bool, typer.Option("--cascade", help="Delete the application's objects, too.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the objects in the cluster.")] = False,
    reason: app_options.Reason = "",
    how: output.Option = output.Format.TABLE,
) -> None:
    """Remove an application's declaration. Say what becomes of its objects: --cascade or --keep."""
    if cascade and keep:
        raise typer.BadParameter("--cascade and --keep exclude each other")
    cascades = _ask(name) if not (cascade or keep) else cascade
    with session.connect() as server, nearest.suggesting("application", name, lambda: api.application_names(server)):
        found = api.delete_application(server, name, cascade=cascades, reason=reason)
    fate = "what it has in the cluster is being deleted" if cascades else "its objects stay in the cluster"
    report.note(f"Application {name} removed; {fate}")
    output.show(accepted.accepted("application", name, found), how)


def _ask(name: str) -> bool:
    """Ask a person what becomes of the objects. A script must say it."""
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            f"say what becomes of the objects of {name}: --cascade deletes them, --keep leaves them in the cluster"
        )
    question = f"What becomes of the objects of {name} in the cluster: cascade (delete them) or keep?"
    while True:
        answer = str(typer.prompt(question, err=True)).strip().lower()
        if answer in ("cascade", "keep"):
            return answer == "cascade"
        report.note("Write cascade or keep; Ctrl-C leaves everything as it is")
