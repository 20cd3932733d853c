"""What a verifier says of a log."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from decklog.cli import output, sheet
from decklog.cli.views import completeness
from decklog.model import printable
from decklog.model.tlog import checkpoint, policy, rotation, tiles
from decklog.verifier import finding, links, log, proving, repository

_FINDINGS = (sheet.Column("LEAF", right=True), sheet.Column("WHERE", fixed=False), sheet.Column("WHAT", fixed=False))

_FIRST = tiles.Tile(0, 0).path
_PRUNED = sheet.Prose(
    lines=["If the log was pruned, its operator says from which leaf on it is kept: --from LEAF verifies that."],
)


def single(
    verdict: log.Verdict, *, receipts: bool, compared: Mapping[str, repository.Compared] | None = None
) -> output.Answer:
    """The log, how much of it was verified, each thing that is wrong; what it covers, where that was asked for."""
    repositories = compared or {}
    return output.Answer(
        value=_value(verdict, receipts=receipts) | completeness.value(verdict, repositories),
        names=[str(found) for found in (*verdict.findings, *verdict.holes)],
        blocks=lambda: [*_blocks(verdict, receipts=receipts), *completeness.blocks(verdict, repositories)],
    )


def _value(verdict: log.Verdict, *, receipts: bool) -> dict[str, Any]:
    tree = verdict.tree
    return {
        "verified": not (verdict.findings or verdict.holes),
        "complete": verdict.complete,
        "origin": None if tree is None else tree.origin,
        "size": None if tree is None else tree.size,
        "root": None if tree is None else tree.root.hex(),
        "first": verdict.first,
        "leaves": verdict.leaves,
        "receipts": receipts,
        "payloads": _payloads_value(verdict),
        "checkpoints": verdict.checkpoints,
        "checkpoints_not_looked_at": verdict.passed,
        "witnesses": witnesses_value(verdict.witnessed),
        "rotations": [] if verdict.signers is None else [_rotation(one) for one in verdict.signers.known.all],
        "time_stamps": _time_value(verdict),
        "tiles_beside": verdict.beside.number,
        "findings": [finding_value(one) for one in verdict.findings],
    }


def finding_value(one: finding.Finding) -> dict[str, Any]:
    """One thing that is wrong as plain values."""
    span = None if one.span is None else list(one.span)
    return {"leaf": one.leaf, "path": one.path, "bytes": span, "problem": one.problem}


def _blocks(verdict: log.Verdict, *, receipts: bool) -> Sequence[sheet.Block]:
    facts = [] if verdict.tree is None else [_facts(verdict, receipts=receipts)]
    if not verdict.findings:
        return [*facts, sheet.Text([sheet.Cell("Verified: every byte is what was signed.", sheet.Tone.GOOD)])]
    told = [*facts, *findings(verdict.findings, "Not what was signed", complete=verdict.complete)]
    return [*told, _PRUNED] if any(one.path == _FIRST for one in verdict.findings) else told


def findings(found: Sequence[finding.Finding], title: str, *, complete: bool) -> list[sheet.Block]:
    """What is wrong as a table, and whether there may be more."""
    blocks: list[sheet.Block] = [sheet.Sheet(columns=_FINDINGS, rows=[_row(one) for one in found], title=title)]
    if not complete:
        blocks.append(
            sheet.Text([sheet.Cell("There may be more: --most says how many are looked for.", sheet.Tone.WARN)])
        )
    return blocks


def _facts(verdict: log.Verdict, *, receipts: bool) -> sheet.Facts:
    tree = verdict.tree
    assert tree is not None  # noqa: S101 (the caller looked)
    read = "entries read as receipts" if receipts else "entries hashed, not read"
    return sheet.Facts(
        pairs=[
            ("log", tree.origin),
            ("leaves", f"{tree.size} signed, {verdict.leaves} looked at{_since(verdict)}, {read}"),
            ("root", base64.b64encode(tree.root).decode()),
            ("payloads", _payloads(verdict)),
            ("beside", _beside(verdict)),
            ("earlier", _earlier(verdict)),
            ("key", _keys(verdict)),
            ("witnesses", witnesses(verdict.witnessed)),
            ("time", _time(verdict)),
        ]
    )


def _beside(verdict: log.Verdict) -> str:
    """Tiles that were not looked at, since no checkpoint there speaks of them; empty where there are none."""
    number, first = verdict.beside
    if not number:
        return ""
    what = f"{number} tiles that the signed tree does not have, such as {first}" if number > 1 else first
    return f"{what}: no checkpoint here vouches for it"


def _earlier(verdict: log.Verdict) -> str:
    passed = f"; {verdict.passed} earlier checkpoints not looked at" if verdict.passed else ""
    return f"{verdict.checkpoints} checkpoints that were signed before or now fit in{passed}"


def witnesses(found: policy.Witnessed | None) -> str:
    """Who cosigned, of how many that the policy names; empty where it names none."""
    if found is None or not found.asked:
        return ""
    needed = "no quorum is asked for" if found.quorum == policy.NONE else f"the quorum {found.quorum!r} is met"
    return f"{len(found.names)} of {found.asked} cosigned it ({', '.join(found.names) or 'none'}); {needed}"


def witnesses_value(found: policy.Witnessed | None) -> dict[str, Any] | None:
    """The same as plain values."""
    return None if found is None else {"cosigned": list(found.names), "of": found.asked, "quorum": found.quorum}


def _since(verdict: log.Verdict) -> str:
    return f" from {verdict.first} on" if verdict.first else ""


def _payloads_value(verdict: log.Verdict) -> dict[str, int] | None:
    found = verdict.payloads
    return None if found is None else {"checked": found.checked, "gone": found.gone_count}


def _time(verdict: log.Verdict) -> str:
    """When the log was so at the latest; empty where nobody asked."""
    if verdict.anchors is None or verdict.anchors.newest is None:
        return ""
    newest = verdict.anchors.newest
    when = newest.stamp.time.isoformat().replace("+00:00", "Z")
    return f"{newest.size} leaves were signed by {when}, says {newest.stamp.authority}"


def _time_value(verdict: log.Verdict) -> dict[str, Any] | None:
    found = verdict.anchors
    if found is None:
        return None
    newest = found.newest and {
        "size": found.newest.size,
        "time": found.newest.stamp.time.isoformat(),
        "authority": found.newest.stamp.authority,
    }
    return {"checked": found.count, "newest": newest}


def _payloads(verdict: log.Verdict) -> str:
    found = verdict.payloads
    if found is None:
        return "none looked at"
    return f"{found.checked} are what their leaves commit to, {found.gone_count} are erased"


def _row(found: finding.Finding) -> sheet.Row:
    span = "" if found.span is None else f" bytes {found.span[0]}-{found.span[1] - 1}"
    leaf = "" if found.leaf is None else str(found.leaf)
    return (leaf, f"{printable.line(found.path)}{span}", sheet.Cell(printable.line(found.problem), sheet.Tone.BAD))


def proof(found: proving.Proved) -> output.Answer:
    """What a proof file proves: the leaf, what it says, and the log that it is in."""
    said = _receipt(found.entry)
    value = {
        "verified": True,
        "leaf": found.leaf,
        "receipt": said,
        **_tree(found.tree),
        "witnesses": witnesses_value(found.witnessed),
    }
    event = said.get("ce")
    event = event if isinstance(event, dict) else {}
    facts = sheet.Facts(
        pairs=[
            ("leaf", f"{found.leaf} of {found.tree.size}"),
            ("log", found.tree.origin),
            ("witnesses", witnesses(found.witnessed)),
            ("kind", str(said.get("kind", ""))),
            *((name, str(event.get(name, ""))) for name in ("id", "type", "subject", "time")),
        ]
    )
    text = sheet.Text([sheet.Cell("Proved: this receipt is in the log that was signed.", sheet.Tone.GOOD)])
    return output.Answer(value=value, names=[str(found.leaf)], blocks=lambda: [facts, text])


def continued(found: links.Continued) -> output.Answer:
    """That a log goes on from a checkpoint that was kept, and by whom its new key is vouched for."""
    old, new = found.old, found.new
    hops = [{**_rotation(hop.rotation), "vouched_by": hop.size} for hop in found.hops]
    value = {"verified": True, "since": _tree(old), "now": _tree(new), "rotations": hops}
    line = f"Proved: the {new.size} leaves begin with the {old.size} of the checkpoint that you kept."
    lines = [sheet.Cell(line, sheet.Tone.GOOD), *(sheet.Cell(replaced(hop), sheet.Tone.WARN) for hop in found.hops)]
    return output.Answer(value=value, names=[new.origin], blocks=lambda: [sheet.Text([one]) for one in lines])


def replaced(hop: links.Hop) -> str:
    """Which key took the place of one that is believed, and what to do."""
    return (
        f"Its key was replaced: {rotation.label(hop.rotation.beside or '')}, which signed {hop.size} leaves, names the "
        f"new one at leaf {hop.rotation.leaf}. Pass --vkey {hop.rotation.vkey} from now on."
    )


def _rotation(one: rotation.Rotation) -> dict[str, Any]:
    return {"leaf": one.leaf, "vkey": one.vkey, "beside": one.beside}


def _keys(verdict: log.Verdict) -> str:
    """Who signs now, where that was changed; empty where it never was."""
    now = None if verdict.signers is None else verdict.signers.known.now
    if now is None:
        return ""
    if now.beside is None:
        return f"since leaf {now.leaf} {rotation.label(now.vkey)} signs"
    both = f"{rotation.label(now.beside)}, and {rotation.label(now.vkey)}, which is to replace it"
    return f"since leaf {now.leaf} two keys sign: {both}; the new one is {now.vkey}"


def _tree(tree: checkpoint.Checkpoint) -> dict[str, Any]:
    return {"origin": tree.origin, "size": tree.size, "root": tree.root.hex()}


def _receipt(entry: bytes) -> dict[str, Any]:
    """What a leaf says; nothing where it is no receipt (another log's entry)."""
    try:
        said = orjson.loads(entry)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}
