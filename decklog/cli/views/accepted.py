"""What a command brought about: it is recorded, and where."""

from decklog.cli import output, sheet
from decklog.client import answers


def accepted(what: str, name: str, found: answers.Accepted) -> output.Answer:
    """The event that a command became, and where Kafka keeps it."""
    at = found["coordinates"]
    return output.Answer(
        value=found,
        names=[name],
        blocks=lambda: [
            sheet.Facts(
                pairs=[
                    (what, name),
                    ("event", found["event_id"]),
                    ("recorded at", f"{at['topic']}/{at['partition']}@{at['offset']}"),
                ]
            )
        ],
    )
