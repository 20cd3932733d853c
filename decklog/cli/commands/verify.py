"""`decklog verify`: is a log, byte for byte, what was signed? Needs nothing but its files and a public key."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from decklog.cli import exits, opening, output, progress, trust
from decklog.cli import verify_kinds as kinds
from decklog.client import failures

if TYPE_CHECKING:
    from decklog.model.tlog import policy as policies
    from decklog.model.tlog import time_stamp
    from decklog.verifier import evidence_check, links, log, proving, repository

_MOST = 100


def verify(
    where: Annotated[
        str,
        typer.Argument(help="A folder, the URL of a log, a .tlog-proof file, or evidence.", metavar="DIR|URL|FILE"),
    ],
    vkey: Annotated[
        list[str] | None, typer.Option(help="Public key of the log; may be repeated.", metavar="VKEY")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(help="File with keys and a quorum of witnesses (c2sp.org/tlog-policy).", metavar="FILE"),
    ] = None,
    tsa_ca: Annotated[
        Path | None,
        typer.Option(help="Also verify its time stamps, against these certificates (PEM).", metavar="FILE"),
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(help="Only prove that the log goes on from this one, which you kept.", metavar="CHECKPOINT"),
    ] = None,
    first: Annotated[
        int,
        typer.Option(
            "--from", help="Begin with the tile of this leaf: a log may be pruned before it.", min=0, metavar="N"
        ),
    ] = 0,
    tree_only: Annotated[bool, typer.Option("--tree-only", help="Do not read entries as receipts.")] = False,
    completeness: Annotated[
        bool, typer.Option("--completeness", help="Also ask whether any offset or commit is missing.")
    ] = False,
    repo: Annotated[
        list[str] | None,
        typer.Option(help="With --completeness: a clone to compare a source with.", metavar="[SOURCE=]PATH"),
    ] = None,
    most: Annotated[int, typer.Option(help="Stop after so many findings.", min=1, metavar="N")] = _MOST,
    how: output.Option = output.Format.TABLE,
) -> None:
    """Verify a published log, a proof or evidence out of it, against the log's public key.

    The checkpoint's signature, every hash and entry below its root, the form of every receipt, every checkpoint that
    was signed before, and payloads where the folder has them (`ledger export --payloads`). A folder is verified
    without any network. Exit code 1 if anything is not what was signed.
    """
    from decklog.cli.views import evidence as evidence_view
    from decklog.cli.views import verdict as view

    kind = kinds.of(where, since, _beginning(where))
    kinds.insist(
        kind,
        {
            "--tsa-ca": tsa_ca,
            "--from": first,
            "--tree-only": tree_only,
            "--completeness": completeness,
            "--repo": repo,
            "--most": most != _MOST,
        },
    )
    trusted = trust.of_logs(vkey or [], policy, option="--vkey")
    verified = True
    match kind:
        case kinds.Kind.PROOF:
            answer = view.proof(_proof(Path(where), trusted))
        case kinds.Kind.EVIDENCE:
            bundle = _bundle(Path(where), trusted, tsa_ca, most)
            answer, verified = evidence_view.single(bundle), not bundle.findings
        case kinds.Kind.GROWTH if since is not None:
            answer = view.continued(_continued(where, since, trusted))
        case _:
            wanted = {"first": first, "receipts": not tree_only, "completeness": completeness, "most": most}
            found = _log(where, trusted, wanted, None if tsa_ca is None else trust.of_time(tsa_ca))
            compared = _compared(found, repo or [])
            answer = view.single(found, receipts=not tree_only, compared=compared)
            verified = not (found.findings or found.holes or any(one.missing or one.lost for one in compared.values()))
    output.show(answer, how)
    if not verified:
        raise typer.Exit(exits.Code.FAILED)


def _beginning(where: str) -> bytes:
    """The first bytes of a file; none of anything else. Whoever reads it says why it cannot be read."""
    file = Path(where)
    with contextlib.suppress(OSError):
        if file.is_file():
            with file.open("rb") as opened:
                return opened.read(kinds.BEGINNING_BYTES)
    return b""


def _log(
    where: str, trusted: "policies.Policy", wanted: dict[str, Any], authority: "time_stamp.Authority | None"
) -> "log.Verdict":
    from decklog.verifier import log, source

    with contextlib.closing(opening.log(where)) as opened, progress.shown("leaves") as tell:
        if isinstance(opened, source.Folder):
            wanted |= {"payloads": opened.open if opened.has_payloads else None, "tiles": opened.names("tile")}
        return log.verify(opened, trusted, log.Wanted(authority=authority, **wanted), tell)


def _compared(verdict: "log.Verdict", repositories: list[str]) -> "dict[str, repository.Compared]":
    """Recorded histories against the repositories that were named, by source."""
    from decklog.verifier import repository

    known = {} if verdict.completeness is None else verdict.completeness.histories
    return {
        source: repository.compare(known[source], path)
        for source, path in (_named(text, list(known)) for text in repositories)
    }


def _named(text: str, known: list[str]) -> tuple[str, Path]:
    """Source and repository of `[SOURCE=]PATH`. Raises Misconfigured where it is not clear which source is meant."""
    source, separator, path = text.partition("=")
    if not separator and len(known) == 1:
        return known[0], Path(text)
    if separator and source in known:
        return source, Path(path)
    there = f"there are {', '.join(sorted(known))}" if known else "the copy has the payloads of none"
    raise failures.Misconfigured(
        f"it is not clear which source {text!r} is: {there}", where="--repo", hint="Say it: --repo SOURCE=PATH"
    )


def _bundle(file: Path, trusted: "policies.Policy", tsa_ca: Path | None, most: int) -> "evidence_check.Verdict":
    from decklog.verifier import evidence_check

    believed = evidence_check.Trusted(log=trusted, authority=None if tsa_ca is None else trust.of_time(tsa_ca))
    with progress.shown("leaves") as tell:
        return evidence_check.verify(file, believed, most, tell)


def _proof(file: Path, trusted: "policies.Policy") -> "proving.Proved":
    from decklog.verifier import proving

    return proving.check(trust.read(file).decode(errors="replace"), trusted, where=str(file))


def _continued(where: str, since: Path, trusted: "policies.Policy") -> "links.Continued":
    from decklog.verifier import links

    with contextlib.closing(opening.log(where)) as opened:
        return links.continues(opened, trust.read(since), trusted)
