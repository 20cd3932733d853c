"""`--wait recorded|synced|healthy`: follow a command until what was asked for came true, or never will."""

import contextlib
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from decklog.cli import choices, moments, report
from decklog.cli.views import requests
from decklog.client import answers, api, awaiting, failures
from decklog.model import printable

DEFAULT = "5m"

Option = Annotated[
    choices.Wait | None,
    typer.Option("--wait", help="Return only when this came true.", show_default=False),
]
Timeout = Annotated[str, typer.Option(help="How long it is waited for.", metavar="DURATION")]


def seconds(text: str) -> float:
    """The length of a timeout. Raises BadParameter."""
    try:
        return moments.duration_us(text) / moments.SECOND
    except moments.NotAMoment as error:
        raise typer.BadParameter(str(error), param_hint="--timeout") from error


def wait(
    server: api.Caller,
    name: str,
    accepted: answers.Accepted,
    until: choices.Wait | None,
    limit: float,
    *,
    dry_run: bool = False,
    look: str = "",
) -> None:
    """Return when what was asked for came true; say on the way how far it is. Raises Failed or TimedOut.

    `look` is the command that shows what becomes of it, without it that of an application called `name`.
    """
    if until is not None:
        with interruptible(look or f"decklog app get {name}"):
            _follow(server, name, accepted, until, limit, dry_run=dry_run)


@contextlib.contextmanager
def interruptible(look: str) -> Iterator[None]:
    """Whoever presses Ctrl-C in here hears that it goes on, and which command shows what becomes of it."""
    try:
        yield
    except KeyboardInterrupt:
        report.note(f"\nNo longer waiting. It goes on: look with `{look}`")
        raise


def _follow(
    server: api.Caller,
    name: str,
    accepted: answers.Accepted,
    until: choices.Wait,
    limit: float,
    *,
    dry_run: bool,
) -> None:
    clock = awaiting.Clock(now=time.monotonic, sleep=time.sleep)
    for stage in awaiting.stages(server, accepted["event_id"], until.value, limit=limit, clock=clock):
        if stage == awaiting.OUT_OF_TIME:
            raise failures.TimedOut(
                f"{name} is not {until.value} {_so_far(limit)}{_why(server, name)}",
                where=f"event {accepted['event_id']}",
                hint=f"It goes on: look with `decklog app get {name}`, or wait longer with --timeout",
            )
        report.note(requests.stage(name, stage, dry_run=dry_run))
    _tell_skipped(server, accepted["event_id"], until)


def _tell_skipped(server: api.Caller, event_id: str, until: choices.Wait) -> None:
    """A sync that ended well may have left objects alone: whoever waited for it is told."""
    if until is choices.Wait.RECORDED:
        return
    sync_id = api.outcome(server, event_id, until=until.value, hold=0.0)["sync_id"]
    if sync_id and (said := requests.skipped(api.sync_detail(server, sync_id)["object_list"])):
        report.note(said)


def _so_far(limit: float) -> str:
    return f"after {moments.span(round(limit * moments.SECOND))}" if limit else "yet"


def _why(server: api.Caller, name: str) -> str:
    """What is known of the application that did not get there in time."""
    try:
        found = api.application(server, name)
    except (failures.NotFound, failures.Unavailable):
        return ""
    health = ": ".join(filter(None, [found["health"], found["health_message"]]))
    failures_now = filter(None, [*found["failures"].values(), found["source_failure"]])
    failing = "".join(f"; {printable.excerpt(failure['message'])}" for failure in failures_now)
    return f": it is {found['sync_status'].replace('_', ' ')} and {health}{failing}"
