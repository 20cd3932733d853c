"""`decklog ledger …`: the published log and its key."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from decklog.cli import progress, report, screen, session
from decklog.client import api, failures, settings
from decklog.model import errors, payload_file

commands = typer.Typer(
    help="Ledger: the published log, and the key that signs it.", no_args_is_help=True, rich_markup_mode=None
)


@commands.command("keygen")
def keygen(
    file: Annotated[Path, typer.Argument(help="Where the key goes; it must not exist yet.", metavar="FILE")],
) -> None:
    """Make the key that signs the log: Ed25519, readable by you alone.

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
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(keys.new_pem(secrets.token_bytes(32)))
        opened.flush()
        os.fsync(opened.fileno())
    report.note(f"made {file}; give it to audit as DECKLOG_LOG_KEY_FILE, and keep a copy where the database is not")


@commands.command("vkey")
def vkey(
    key: Annotated[Path | None, typer.Option(help="Derive it from this key instead.", metavar="FILE")] = None,
    origin: Annotated[str, typer.Option(help="Name of the log: DOMAIN/INSTALLATION.", metavar="NAME")] = "",
) -> None:
    """Print the public key of the log, for whoever is to check it.

    The server is asked, or with --key and --origin the key itself.
    """
    if (key is None) != (not origin):
        raise failures.Misconfigured("--key and --origin come together", hint="Give both, or neither to ask the server")
    if key is not None:
        screen.names([_derived(key, origin)])
        return
    with session.connect() as server:
        screen.names([api.log(server)["vkey"]])


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


def _derived(file: Path, origin: str) -> str:
    from decklog.model.tlog import keys

    try:
        settings.check_private(file)
        return str(keys.from_pem(file.read_bytes(), origin).verifier)
    except OSError as error:
        raise failures.Misconfigured(f"the key cannot be read: {error.strerror}", where=str(file)) from error
    except keys.Malformed as error:
        raise errors.Refused(str(error), where=str(file), hint="Make one: decklog ledger keygen FILE") from error
