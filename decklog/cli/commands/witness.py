"""`decklog witness …`: a process that cosigns what logs show, and never two histories of one."""

import secrets
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from decklog.cli import report, screen, trust
from decklog.client import failures

if TYPE_CHECKING:
    from decklog.witness import serving

commands = typer.Typer(
    help="Witness: cosign the checkpoints of logs that you do not run.", no_args_is_help=True, rich_markup_mode=None
)

Folder = Annotated[Path, typer.Argument(help="Folder of the witness: keys and store.", metavar="DIR")]


@commands.command("init")
def init(
    folder: Folder,
    name: Annotated[str, typer.Option(help="What it is called: a domain of yours with a path.", metavar="NAME")],
) -> None:
    """Make a witness: a new folder with two keys and the store of what it cosigned last.

    Keys and store belong together: a key with an older store could sign a second history.
    """
    from decklog.witness import keeping

    keeping.make(folder, name, (secrets.token_bytes(32), secrets.token_bytes(32)))
    report.note(f"made {folder}; `decklog witness vkey {folder}` prints its public keys")
    report.note(f"start it: decklog witness run {folder} --log VKEY")


@commands.command("vkey")
def vkey(folder: Folder) -> None:
    """Print the public keys of a witness, for the policies of others: Ed25519 and ML-DSA-44, a line each.

    Many programs know only the first. A policy that names both has two witnesses.
    """
    from decklog.witness import keeping

    screen.names([str(one.verifier) for one in keeping.load(folder)])


@commands.command("run")
def run(
    folder: Folder,
    log: Annotated[
        list[str] | None, typer.Option(help="Public key of a log to cosign; may be repeated.", metavar="VKEY")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="File with the keys of the logs (c2sp.org/tlog-policy).", metavar="FILE")
    ] = None,
    listen: Annotated[str, typer.Option(help="Address to serve on.", metavar="HOST:PORT")] = "127.0.0.1:8620",
) -> None:
    """Serve a witness (c2sp.org/tlog-witness) until SIGTERM or Ctrl-C.

    It cosigns a checkpoint that goes on from the last one it saw, and nothing else. Plain HTTP: put a server that
    speaks HTTPS in front of it before others use it.
    """
    from decklog.witness import keeping, serving, witness

    host, port = _address(listen)
    logs = trust.of_logs(log or [], policy, option="--log").logs
    if not logs:
        raise failures.Misconfigured("the policy names no log", where=str(policy), hint="Write lines `log VKEY`")
    served = witness.Witness(logs, keeping.load(folder), keeping.Store(folder), lambda: int(time.time()))
    server = serving.Server(host, port, served, report.note)
    names = ", ".join(dict.fromkeys(one.name for one in logs))
    report.note(f"the witness {served.signers[0].name} cosigns {names}")
    report.note(f"it listens at {server.url}")
    _until_told(server)


def _until_told(server: "serving.Server") -> None:
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    serving = threading.Thread(target=server.serve_forever, name="witness", daemon=True)
    serving.start()
    told.wait()
    server.shutdown()
    server.drain()
    server.server_close()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise failures.Misconfigured(
            f"{text!r} is no address", where="--listen", hint="Write HOST:PORT, such as 127.0.0.1:8620"
        )
    return host.strip("[]"), int(port)
