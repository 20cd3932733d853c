"""What a verifier says of an evidence bundle."""

import base64
from collections.abc import Sequence
from typing import Any

from decklog.cli import output, sheet
from decklog.cli.views import verdict as verdicts
from decklog.verifier import evidence_check


def single(verdict: evidence_check.Verdict) -> output.Answer:
    """What it is about, how much of it is proved, and each thing that is wrong."""
    return output.Answer(
        value=_value(verdict), names=[str(found) for found in verdict.findings], blocks=lambda: _blocks(verdict)
    )


def _value(verdict: evidence_check.Verdict) -> dict[str, Any]:
    tree, chosen, stretch = verdict.tree, verdict.chosen, verdict.stretch
    return {
        "verified": not verdict.findings,
        "complete": verdict.complete,
        "origin": None if tree is None else tree.origin,
        "size": None if tree is None else tree.size,
        "root": None if tree is None else tree.root.hex(),
        "selection": None if chosen is None else chosen.value() | {"words": str(chosen)},
        "stretch": None if stretch is None else stretch._asdict(),
        "completeness": verdict.completeness,
        "witnesses": verdicts.witnesses_value(verdict.witnessed),
        "time_stamp": _time_value(verdict),
        "leaves": verdict.leaves,
        "payloads": verdict.payloads,
        "findings": [verdicts.finding_value(one) for one in verdict.findings],
    }


def _blocks(verdict: evidence_check.Verdict) -> Sequence[sheet.Block]:
    facts = [] if verdict.tree is None else [_facts(verdict)]
    if not verdict.findings:
        return [*facts, sheet.Text([sheet.Cell("Verified: all of it is what was signed.", sheet.Tone.GOOD)])]
    return [*facts, *verdicts.findings(verdict.findings, "Not as evidence must be", complete=verdict.complete)]


def _facts(verdict: evidence_check.Verdict) -> sheet.Facts:
    tree, chosen = verdict.tree, verdict.chosen
    assert tree is not None  # noqa: S101 (the caller looked)
    return sheet.Facts(
        pairs=[
            ("evidence", "" if chosen is None else str(chosen)),
            ("log", tree.origin),
            ("tree", f"{tree.size} leaves, root {base64.b64encode(tree.root).decode()}"),
            ("receipts", f"{verdict.leaves} proved to be in the tree"),
            ("payloads", f"{verdict.payloads} are what their leaves commit to"),
            ("witnesses", verdicts.witnesses(verdict.witnessed)),
            ("time", _time(verdict)),
            ("complete", verdict.completeness if not verdict.findings else ""),
        ]
    )


def _time(verdict: evidence_check.Verdict) -> str:
    if verdict.stamped is None:
        return ""
    if verdict.time is None:
        return f"a stamp on the first {verdict.stamped} leaves, not verified (--tsa-ca)"
    when = verdict.time.time.isoformat().replace("+00:00", "Z")
    return f"the first {verdict.stamped} leaves existed at {when}, says {verdict.time.authority}"


def _time_value(verdict: evidence_check.Verdict) -> dict[str, Any] | None:
    if verdict.stamped is None:
        return None
    found = verdict.time
    return {
        "size": verdict.stamped,
        "verified": found is not None,
        "time": None if found is None else found.time.isoformat(),
        "authority": None if found is None else found.authority,
    }
