"""One event: what it says, and the receipt that stands for it in the ledger."""

from collections.abc import Mapping
from typing import Any

from decklog.cli import moments, output, sheet
from decklog.client import answers
from decklog.model import leaf_ranges


def single(found: answers.Event, now: moments.Now) -> output.Answer:
    """The receipt's facts, then the event's own words as YAML."""
    return output.Answer(
        value=found, names=[found["id"] or str(found["leaf"])], blocks=lambda: [_facts(found, now), _said(found)]
    )


def _facts(found: answers.Event, now: moments.Now) -> sheet.Facts:
    receipt = found["receipt"]
    kafka = receipt.get("kafka")
    at = f"{kafka['topic']}/{kafka['partition']}@{kafka['offset']}" if kafka else ""
    return sheet.Facts(
        pairs=[
            ("event", found["id"]),
            ("type", found["type"]),
            ("source", found["source"]),
            ("subject", found["subject"]),
            ("happened", moments.full(found["time_us"], now) if found["time_us"] else ""),
            ("recorded", moments.full(found["recorded_us"], now)),
            ("leaf", f"{found['leaf']} ({found['kind']})"),
            ("about", _about(found["kind"], receipt.get("about") or {})),
            ("leaf hash", found["leaf_hash"]),
            ("kafka", at),
            ("caused by", _cause(found["cause"])),
            ("payload", _payload(found["payload"]) if receipt.get("commitment") else ""),
            ("commitment", str(receipt.get("commitment") or "")),
        ]
    )


def _silence(found: answers.Event) -> str:
    """Why an event's words cannot be shown."""
    if found["payload"]["erased"]:
        return "it was erased"
    return f"a {found['kind']} is not read" if found["receipt"].get("commitment") else "it has no payload"


def _about(kind: str, about: Mapping[str, Any]) -> str:
    """What a leaf that is no event says of others, or why it is none; empty for one that says nothing."""
    if not about:
        return ""
    match kind:
        case "duplicate":
            return f"the same event as leaf {about['leaf']}, again"
        case "conflict":
            return f"same id as leaf {about['leaf']}, other bytes"
        case "gap":
            return f"{leaf_ranges.offsets(about['from'], about['to'])}: {about['reason']}"
        case "erasure":
            leaves = ", ".join(leaf_ranges.text(first, end) for first, end in about["ranges"])
            return f"leaves {leaves}: {about['reason']}"
        case "rotation":
            return " beside ".join(key for key in (about["vkey"], about.get("beside")) if key)
    return str(about.get("reason", ""))


def _cause(found: answers.Moment | None) -> str:
    """What led to the sync that an event belongs to."""
    return "" if found is None else f"{found['summary']} ({found['kind']}, leaf {found['leaf']})"


def _payload(found: answers.Payload) -> str:
    return "erased" if found["erased"] else f"{found['length']} bytes, SHA-256 {found['sha256'] or '-'}"


def _said(found: answers.Event) -> sheet.Text:
    if found["data"] is None:
        return sheet.Text([sheet.quiet(f"(nothing: {_silence(found)})")], title="What it says")
    from decklog.cli import documents  # the YAML library is needed here alone

    return sheet.Text(documents.to_yaml(found["data"]).splitlines(), title="What it says")
