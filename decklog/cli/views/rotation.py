"""What a step of the change of the log's key brought about, and what is to be done next."""

from decklog.cli import output, sheet
from decklog.client import ledger_answers


def next_step(found: ledger_answers.RotationAccepted) -> str:
    """What a person does now."""
    if found["beside"]:
        return (
            "Both keys sign now. Give the new one to auditors and witnesses; when they have it: "
            "decklog ledger rotate --finish"
        )
    return (
        f"{_label(found['vkey'])} alone signs now. Name its file in DECKLOG_LOG_KEY_FILE, and none in "
        f"DECKLOG_LOG_NEXT_KEY_FILE; take {_label(found['retired'])} off witnesses and policies, and destroy its file"
    )


def rotated(found: ledger_answers.RotationAccepted) -> output.Answer:
    """The keys that sign from now on, and the one that no longer does."""
    at = found["coordinates"]
    pairs = [
        ("signs", found["vkey"]),
        ("beside", found["beside"]),
        ("retired", found["retired"]),
        ("event", found["event_id"]),
        ("recorded at", f"{at['topic']}/{at['partition']}@{at['offset']}"),
    ]
    return output.Answer(value=found, names=[found["vkey"]], blocks=lambda: [sheet.Facts(pairs=pairs)])


def _label(vkey: str) -> str:
    return "+".join(vkey.split("+")[:2])
