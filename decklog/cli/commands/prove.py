"""`decklog prove EVENT`: a file that proves by itself that an event is in the log."""

from pathlib import Path
from typing import Annotated

import typer

from decklog.cli import named, report, session
from decklog.client import api, failures


def prove(
    event: Annotated[
        str,
        typer.Argument(
            help="Id of an event, the beginning of one, or the number of its leaf.",
            metavar="EVENT",
            callback=named.event,
        ),
    ],
    file: Annotated[Path, typer.Option("--output", "-o", help="Where the proof goes.", metavar="FILE.tlog-proof")],
) -> None:
    """Write a proof that an event is in the published log.

    It holds the receipt, the hashes up to the root and the signed checkpoint, after c2sp.org/tlog-proof: whoever has it
    and the log's public key needs nothing else. `decklog verify FILE --vkey KEY` checks it.
    """
    from decklog.verifier import proving

    with session.connect() as server:
        leaf = api.event(server, event)["leaf"]
    log = session.log()
    try:
        proof = proving.inclusion(log, leaf)
    finally:
        log.close()
    try:
        file.write_text(proof.to_text())
    except OSError as error:
        raise failures.Misconfigured(f"the proof cannot be written: {error.strerror}", where=str(file)) from error
    report.note(f"leaf {leaf} is proved by {file}; check it with: decklog verify {file} --vkey KEY")
