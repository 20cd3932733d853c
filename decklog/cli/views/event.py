"""One event: what it says, and the receipt that stands for it in the ledger."""

from decklog.cli import moments, output, sheet
from decklog.client import answers


def single(found: answers.Event, now: moments.Now) -> output.Answer:
    """The receipt's facts, then the event's own words as YAML."""
    return output.Answer(value=found, names=[found["id"]], blocks=lambda: [_facts(found, now), _said(found)])


def _facts(found: answers.Event, now: moments.Now) -> sheet.Facts:
    receipt = found["receipt"]
    kafka, ce = receipt.get("kafka") or {}, receipt.get("ce") or {}
    at = f"{kafka['topic']}/{kafka['partition']}@{kafka['offset']}" if kafka else ""
    return sheet.Facts(
        pairs=[
            ("event", found["id"]),
            ("type", found["type"]),
            ("source", str(ce.get("source", ""))),
            ("subject", str(ce.get("subject", ""))),
            ("leaf", f"{found['leaf']} ({receipt.get('kind', 'event')})"),
            ("recorded", moments.full(receipt["recorded_at"], now)),
            ("kafka", at),
            ("commitment", str(receipt.get("commitment") or "")),
        ]
    )


def _said(found: answers.Event) -> sheet.Text:
    if found["data"] is None:
        return sheet.Text([sheet.quiet("(there is no payload to show)")], title="Payload")
    from decklog.cli import documents  # the YAML library is needed here alone

    return sheet.Text(documents.to_yaml(found["data"]).splitlines(), title="Payload")
