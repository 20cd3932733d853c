"""`decklog erase`: what the law demands to be forgotten, shown first, then erased for ever."""

import contextlib
import shlex
import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from decklog.cli import output, report, screen, session, waiting
from decklog.cli.views import erasure, words
from decklog.client import api, awaiting, failures, ledger_answers
from decklog.model import leaf_ranges


def erase(
    reason: Annotated[
        str, typer.Option(help="Why; it is recorded for ever, so it must name nobody whose data goes.", metavar="TEXT")
    ],
    subject: Annotated[
        str,
        typer.Option(
            help="A person's whole name or e-mail address, or an actor's id.", show_default=False, metavar="PERSON"
        ),
    ] = "",
    event: Annotated[
        list[str] | None,
        typer.Option(
            help="Id of an event, for all that came under it, or number of a leaf; may be given again.",
            show_default=False,
            metavar="EVENT",
        ),
    ] = None,
    source: Annotated[
        str, typer.Option(help="Of which source, where several gave the same id.", show_default=False, metavar="SOURCE")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. A script must say it.")] = False,
    timeout: waiting.Timeout = "1h",
    how: output.Option = output.Format.TABLE,
) -> None:
    """Erase the payloads of a person's events, or of single leaves, from the ledger, the page and the API, for ever.

    Commits of which the person is author or committer or stands in a trailer, and whatever the person did as an actor;
    what came in conflict with such an event, too. An event by its id goes with all other bytes that came under that id.
    Poison cannot be searched: its leaves are named, and each is erased by its number (--event LEAF).
    Leaves and proofs stay valid. Shows what would go and asks first; waits until nothing of it is left to be read.
    What came meanwhile is named at the end (exit code 1), with the command that erases it.
    """
    if bool(subject.strip()) == bool(event):
        raise typer.BadParameter("say whose events (--subject) or which (--event), and not both")
    if source and not event:
        raise typer.BadParameter("it goes with --event ID", param_hint="--source")
    if subject and subject.strip().casefold() in reason.casefold():
        raise typer.BadParameter("the reason names the subject: it is recorded for ever", param_hint="--reason")
    seconds = waiting.seconds(timeout)
    with session.connect() as server:
        named = _named(server, event or [], source)
        found, unreadable = _found(server, subject, named)
        if unreadable:
            report.note(erasure.unread(unreadable))
        if not found:
            raise failures.NotFound("no event holds data of that subject", hint="Give a whole name or address")
        if not yes:
            _ask(found)
        requests = _requested(server, found, reason)
        for request in requests:
            _wait(server, request, seconds)
        report.note(f"{words.count(len(found), 'payload')} erased; the leaves and every proof stay valid")
        output.show(erasure.erased(found, requests, session.now()), how)
        left, unread = _left(server, subject, named, found)
    if fresh := sorted(set(unread) - set(unreadable)):
        report.note(erasure.unread(fresh))
    # A request names who made it: the ledger keeps that of whoever erases their own.
    asked = {request["event_id"] for request in requests}
    if kept := [one["leaf"] for one in left if one["event_id"] not in asked]:
        chosen = ["--subject", subject] if subject else [word for one in kept for word in ("--event", str(one))]
        raise failures.Failed(
            f"{words.count(len(kept), 'payload')} came while this was erased, and can still be read",
            where=erasure.leaves(kept),
            hint=shlex.join(["decklog", "erase", *chosen, "--reason", reason]),
        )


def _requested(
    server: api.Caller, found: Sequence[ledger_answers.Erasable], reason: str
) -> list[ledger_answers.ErasureAccepted]:
    """The requests that take all of it, each as many ranges of leaves as one may."""
    ranges, most = leaf_ranges.of(one["leaf"] for one in found), leaf_ranges.MOST
    return [api.erase(server, ranges[start : start + most], reason) for start in range(0, len(ranges), most)]


def _named(server: api.Caller, named: Sequence[str], source: str) -> api.Named:
    """Leaves by number, events by their whole ids. Raises NotFound or Rejected."""
    return api.Named(
        events=[_full(server, one) for one in named if not api.is_leaf(one)],
        source=source,
        leaves=[int(one) for one in named if api.is_leaf(one)],
    )


def _found(server: api.Caller, subject: str, named: api.Named) -> tuple[list[ledger_answers.Erasable], list[int]]:
    """What would go, and the leaves that could not be searched."""
    found, unreadable = list[ledger_answers.Erasable](), list[int]()
    first: int | None = 0
    while first is not None:
        page = api.erasable(server, subject=subject, named=named, first=first)
        found += page["items"]
        unreadable += page["unreadable"]
        first = page["next"]
    return found, unreadable


def _left(
    server: api.Caller, subject: str, named: api.Named, erased: Sequence[ledger_answers.Erasable]
) -> tuple[list[ledger_answers.Erasable], list[int]]:
    """What there is of it once it was erased: it came since it was looked for. Leaves that are erased stay so.

    What another source has called by the id of an event meanwhile is no part of it.
    """
    if subject:
        return _found(server, subject, named)
    sources = {one["event_id"]: one["source"] for one in erased}
    left = list[ledger_answers.Erasable]()
    for identifier in named.events:
        # One by one: of an id of which nothing is left the server says that there is no such event.
        with contextlib.suppress(failures.NotFound):
            one = api.Named(events=[identifier], source=sources.get(identifier, named.source), leaves=[])
            left += _found(server, subject, one)[0]
    return left, []


def _full(server: api.Caller, identifier: str) -> str:
    """The whole id of an event. Raises NotFound or Rejected."""
    return api.event(server, identifier)["id"]


def _ask(found: Sequence[ledger_answers.Erasable]) -> None:
    """Show what would go, and let a person type how many payloads that are."""
    report.note(screen.lines([erasure.preview(found, session.now())], width=80, colour=False))
    declared = sum(one["type"].endswith("Declared") for one in found)
    if declared:
        report.note(f"{words.count(declared, 'declaration')} among them: declare anew what is still to count")
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{words.count(len(found), 'payload')} would be erased for ever: say --yes")
    question = f"Type {len(found)} to erase {words.count(len(found), 'payload')} for ever"
    while str(typer.prompt(question, err=True)).strip() != str(len(found)):
        report.note(f"Write {len(found)}; Ctrl-C leaves everything as it is")


def _wait(server: api.Caller, accepted: ledger_answers.ErasureAccepted, limit: float) -> None:
    """Until the ledger has erased and everything that is read was made anew without it. Raises Failed or TimedOut."""
    where, deadline = f"event {accepted['event_id']}", time.monotonic() + limit
    sequenced = away = False
    while True:
        hold = min(max(deadline - time.monotonic(), 0.0), awaiting.HOLD_SECONDS)
        try:
            found = api.erasure(server, accepted["event_id"], hold=hold)
        except failures.Unavailable as error:
            if not away:
                report.note(f"{error.problem}. The request is recorded; asking again")
            away = True
            time.sleep(awaiting.PAUSE_SECONDS)
        else:
            away = False
            if found["stage"] == "erased":
                return
            if found["stage"] == "refused":
                hint = "A legal hold was placed meanwhile: decklog legal-hold list"
                raise failures.Failed("the request is recorded, and nothing was erased", where=where, hint=hint)
            sequenced = found["leaf"] is not None
        if time.monotonic() >= deadline:
            raise _out_of_time(where, sequenced=sequenced)


def _out_of_time(where: str, *, sequenced: bool) -> failures.TimedOut:
    """What became of a request by then; one that the ledger has taken in is carried out with it."""
    if sequenced:
        return failures.TimedOut(
            "what was erased can still be read from the projections",
            where=where,
            hint="They are being made anew: `decklog status` shows how far; wait longer with --timeout",
        )
    return failures.TimedOut(
        "the ledger has not taken the request in: nothing is known to be erased",
        where=where,
        hint="It is recorded, and carried out once audit sequences again: `decklog status` says why it does not",
    )
