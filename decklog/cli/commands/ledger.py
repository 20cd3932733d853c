"""`decklog ledger …`: the published log and its key."""

import contextlib
import enum
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from decklog.cli import opening, output, progress, report, rotating, screen, session, trust, waiting
from decklog.client import api, failures, settings
from decklog.model import errors, payload_file

commands = typer.Typer(
    help="Ledger: the published log, and the key that signs it.", no_args_is_help=True, rich_markup_mode=None
)


class Algorithm(enum.StrEnum):
    """What a key can sign with."""

    ED25519 = "ed25519"
    MLDSA44 = "ml-dsa-44"


_USE = {
    Algorithm.ED25519: "DECKLOG_LOG_KEY_FILE, or, to replace that key (`decklog ledger rotate`), as "
    "DECKLOG_LOG_NEXT_KEY_FILE",
    Algorithm.MLDSA44: "DECKLOG_LOG_MLDSA44_KEY_FILE: every checkpoint is signed with it, too",
}


@commands.command("keygen")
def keygen(
    file: Annotated[Path, typer.Argument(help="Where the key goes; it must not exist yet.", metavar="FILE")],
    algorithm: Annotated[
        Algorithm, typer.Option(help="ml-dsa-44: for a second signature that outlives quantum computers.")
    ] = Algorithm.ED25519,
) -> None:
    """Make a key that signs the log, readable by you alone: Ed25519, or ML-DSA-44 for a second signature.

    It is kept as PKCS #8, so `openssl pkey -in FILE` reads it. Whoever has it can sign in the log's name.
    """
    from decklog.model.tlog import keys  # the cryptography library takes longer to import than the rest

    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise failures.Misconfigured(
            f"the key cannot be written: {error.strerror}",
            where=str(file),
            hint="Name a new file in a folder of yours: a key is never overwritten",
        ) from error
    make = keys.new_pem if algorithm is Algorithm.ED25519 else keys.new_mldsa44_pem
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(make(secrets.token_bytes(32)))
        opened.flush()
        os.fsync(opened.fileno())
    report.note(f"made {file}; keep a copy where the database is not, and give it to audit as {_USE[algorithm]}")


@commands.command("vkey")
def vkey(
    key: Annotated[Path | None, typer.Option(help="Derive it from this key instead.", metavar="FILE")] = None,
    origin: Annotated[str, typer.Option(help="Name of the log: DOMAIN/INSTALLATION.", metavar="NAME")] = "",
) -> None:
    """Print the public keys of the log, one a line, for whoever is to check it.

    The server is asked, or with --key and --origin the key itself. While a key is being replaced, the new one is
    printed: it vouches for the old one, too.
    """
    if (key is None) != (not origin):
        raise failures.Misconfigured("--key and --origin come together", hint="Give both, or neither to ask the server")
    if key is not None:
        screen.names([_derived(key, origin)])
        return
    with session.connect() as server:
        found = api.log(server)
    if found["beside"]:
        report.note(
            f"since leaf {found['rotated']} this key signs beside the one before it, {found['beside']}, until "
            "`decklog ledger rotate --finish`"
        )
    screen.names([one for one in (found["vkey"], found["mldsa44_vkey"]) if one])


@commands.command("rotate")
def rotate(
    reason: Annotated[str, typer.Option(help="Why; it is recorded for ever.", metavar="TEXT")],
    finish: Annotated[bool, typer.Option("--finish", help="End the overlap: the new key alone signs.")] = False,
    abort: Annotated[bool, typer.Option("--abort", help="End the overlap: the old key alone signs.")] = False,
    timeout: waiting.Timeout = waiting.DEFAULT,
    how: output.Option = output.Format.TABLE,
) -> None:
    """Replace the key that signs the log: from a leaf on both sign, and after --finish the new one alone.

    audit must have the new key: DECKLOG_LOG_NEXT_KEY_FILE. Returns when a checkpoint is served that was signed so. Give
    the new public key to auditors and witnesses before the overlap ends; a key that was retired never comes back.
    """
    from decklog.cli.views import rotation as view

    if finish and abort:
        raise typer.BadParameter("--finish and --abort are two ends of an overlap: choose one")
    step = "finish" if finish else "abort" if abort else "begin"
    seconds = waiting.seconds(timeout)
    with session.connect() as server:
        found = api.rotate(server, step, reason)
        rotating.wait(server, found, seconds)
    report.note(view.next_step(found))
    output.show(view.rotated(found), how)


@commands.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Where the copy goes; run again, it goes on.", metavar="DIR")],
    payloads: Annotated[bool, typer.Option("--payloads", help="And what the leaves commit to. Private.")] = False,
    reason: Annotated[str, typer.Option(help="Why the payloads are taken, for the record.", metavar="TEXT")] = "",
) -> None:
    """Copy the published log to a folder, file for file, for `decklog verify` and other people's programs.

    With --payloads, values, headers and salts of all leaves are written beside it, for you alone to read. That they
    were taken is recorded. What is erased later stays in such a copy: delete it when it has served.
    """
    from decklog.verifier import copy

    with session.connect() as server:
        minimum = api.log(server)["minimum_index"]
    with contextlib.closing(session.log()) as opened, progress.shown("files") as tell:
        copied = copy.copy(opened, folder, tell, minimum=minimum)
    if minimum:
        report.note(f"leaves before {minimum} are pruned: check the copy with `decklog verify --from {minimum}`")
    report.note(f"{copied.size} leaves are in {folder}; {copied.fetched} files were fetched")
    if payloads:
        with session.connect() as server, progress.shown("payloads") as tell:
            fetched = copy.copy_payloads(
                lambda first, end: api.payloads(server, first, end, reason), folder, copied.size, tell
            )
        report.note(f"their payloads are in {folder / payload_file.FOLDER}; {fetched} files were fetched")


@commands.command("anchor")
def anchor(
    where: Annotated[str, typer.Argument(help="The log: a folder, or its URL.", metavar="DIR|URL")],
    repository: Annotated[
        Path, typer.Argument(help="A clone of yours; the checkpoint is committed in it.", metavar="REPO")
    ],
    vkey: Annotated[
        list[str] | None, typer.Option(help="Public key of the log; may be repeated.", metavar="VKEY")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(help="File with keys and a quorum of witnesses (c2sp.org/tlog-policy).", metavar="FILE"),
    ] = None,
    sign: Annotated[bool, typer.Option(help="Sign the commit with the key that git is configured with.")] = True,
) -> None:
    """Commit the newest checkpoint of somebody's log to a Git repository of yours, where they cannot rewrite it.

    Nothing is committed unless the log goes on from the checkpoint that was committed before. Run it from time to
    time, and push: `decklog ledger anchor URL REPO --vkey VKEY && git -C REPO push`. Exit code 1 if the log was forked.
    """
    from decklog.cli.views import verdict
    from decklog.verifier import git_anchor

    trusted = trust.of_logs(vkey or [], policy, option="--vkey")
    with contextlib.closing(opening.log(where)) as opened:
        done = git_anchor.anchor(opened, repository, trusted, sign=sign)
    for hop in done.hops:
        report.note(verdict.replaced(hop))
    since = "" if done.before is None else f", which go on from {done.before}"
    if not done.commit:
        report.note(f"{done.path} has these {done.tree.size} leaves already: nothing to commit")
        return
    report.note(f"{done.path}: {done.tree.size} leaves{since}")
    screen.names([done.commit])


def _derived(file: Path, origin: str) -> str:
    from decklog.model.tlog import keys

    try:
        settings.check_private(file)
        return str(keys.log_key_from_pem(file.read_bytes(), origin).verifier)
    except OSError as error:
        raise failures.Misconfigured(f"the key cannot be read: {error.strerror}", where=str(file)) from error
    except keys.Malformed as error:
        raise errors.Refused(str(error), where=str(file), hint="Make one: decklog ledger keygen FILE") from error
