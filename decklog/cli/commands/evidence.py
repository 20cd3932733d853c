"""`decklog evidence`: one file for an auditor, with everything that is needed to check it."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from decklog.cli import moments, named, progress, report, session
from decklog.client import api, failures, nearest

if TYPE_CHECKING:
    from decklog.client import server
    from decklog.model import selection
    from decklog.verifier import evidence as making

_AT_ONCE = 10_000


def evidence(
    file: Annotated[Path, typer.Option("--output", "-o", help="Where it goes; a new file.", metavar="FILE.zip")],
    event: Annotated[
        list[str] | None,
        typer.Option(
            help="Id of an event, the beginning of one, or the number of its leaf. Repeat it.", metavar="EVENT"
        ),
    ] = None,
    app: Annotated[
        str, typer.Option(help="Everything of this application.", metavar="NAME", callback=named.optional)
    ] = "",
    from_: Annotated[
        str,
        typer.Option(
            "--from", help=f"Recorded from this moment on: {moments.TIMES}.", show_default=False, metavar="MOMENT"
        ),
    ] = "",
    to: Annotated[
        str, typer.Option("--to", help="Recorded up to this moment.", show_default=False, metavar="MOMENT")
    ] = "",
    checkpoint: Annotated[
        Path | None, typer.Option(help="Under this checkpoint, which you kept, and not the newest.", metavar="FILE")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why it is taken, for the record.", metavar="TEXT")] = "",
) -> None:
    """Write one file that proves events, or everything of an application between two moments.

    It holds the raw events and their salts, receipts, proofs, the signed checkpoint, rows as JSON and CSV, digests, and
    VERIFY.md with commands of Go, Python and OpenSSL that check it. With --app also all receipts of the time, so that
    anybody can see that nothing is missing. That it was taken is recorded. `decklog verify FILE` checks it anywhere.
    """
    from decklog.verifier import evidence as making

    if bool(event) == bool(app):
        raise failures.Misconfigured("evidence is of events or of an application: --event or --app", hint="Give one")
    if (from_ or to) and not app:
        raise failures.Misconfigured("--from and --to go with --app", hint="Leave them out, or name an application")
    if file.exists():
        raise failures.Misconfigured("the file is there already", where=str(file), hint="Name a new one, or remove it")
    chosen = _chosen(app, from_, to)
    kept = None if checkpoint is None else _read(checkpoint)
    with contextlib.closing(session.log()) as opened, session.connect() as server:
        log = making.pinned(opened, kept)
        wanted = _wanted(server, log, chosen, event or [])
        with _new(file) as out, progress.shown("leaves") as tell:
            making.write(out, log, wanted, lambda leaves: _said(server, leaves, str(chosen), reason), tell)
    many = "1 leaf is" if len(wanted.leaves) == 1 else f"{len(wanted.leaves)} leaves are"
    report.note(f"{many} in {file}; check it with: decklog verify {file} --vkey KEY")


def _chosen(app: str, from_: str, to: str) -> "selection.Selection":
    from decklog.model import selection

    now = session.now()
    since, until = (_instant(name, text, now) for name, text in (("--from", from_), ("--to", to)))
    if since is not None and until is not None and since > until:
        raise failures.Misconfigured("--from is after --to", hint="Exchange them")
    return selection.Selection(application=app, since=since, until=until)


def _instant(option: str, text: str, now: moments.Now) -> int | None:
    try:
        return moments.parse_instant(text, now) if text else None
    except moments.NotAMoment as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _wanted(
    server: "server.Server", log: "making.Pinned", chosen: "selection.Selection", events: Sequence[str]
) -> "making.Wanted":
    from decklog.verifier import evidence as making

    if not chosen.application:
        leaves = sorted({api.event(server, one)["leaf"] for one in events})
        return making.Wanted(chosen=chosen, leaves=leaves, stretch=None)
    where = making.stretch(log, chosen)
    leaves = making.chosen_leaves(log, chosen, where)
    if not leaves and not api.timeline(server, {"app": chosen.application}, 1)["items"]:
        names = api.application_names(server)
        if chosen.application not in names:
            raise failures.NotFound(
                f"there is no application {chosen.application!r}", hint=nearest.hint(chosen.application, names)
            )
    return making.Wanted(chosen=chosen, leaves=leaves, stretch=where)


def _said(server: "server.Server", leaves: Sequence[int], chosen: str, reason: str) -> "Iterator[making.Said]":
    """What the server says of the leaves, as many at once as it gives."""
    from decklog.verifier import evidence as making

    for first in range(0, len(leaves), _AT_ONCE):
        with api.evidence(server, leaves[first : first + _AT_ONCE], chosen, reason) as body:
            yield from making.read_said(body)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise failures.Misconfigured(f"the file cannot be read: {error.strerror}", where=str(file)) from error


@contextlib.contextmanager
def _new(file: Path) -> Iterator[IO[bytes]]:
    """A file that is there when it is whole, for its owner alone: it may hold everything that was said."""
    unfinished = file.with_name(f".{file.name}.part")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                yield opened
            unfinished.rename(file)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise failures.Misconfigured(f"the evidence cannot be written: {error.strerror}", where=str(file)) from error
