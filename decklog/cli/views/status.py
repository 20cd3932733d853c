"""How far the record is, and when each service last spoke."""

from decklog.cli import moments, output, sheet
from decklog.client import answers


def single(found: answers.Status, now: moments.Now) -> output.Answer:
    """The rungs of the ledger, then the services."""
    return output.Answer(
        value=found,
        names=[one["name"] for one in found["services"]],
        blocks=lambda: [
            sheet.Sheet(
                columns=(sheet.Column("RUNG"), sheet.Column("SIZE", right=True), sheet.Column("BEHIND", right=True)),
                rows=[(one["name"], str(one["size"]), _behind(one["behind"])) for one in found["rungs"]],
            ),
            sheet.Sheet(
                columns=(sheet.Column("SERVICE"), sheet.Column("LAST WORD", right=True)),
                rows=[
                    (one["name"], moments.age(one["last_us"], now) if one["last_us"] else "never")
                    for one in found["services"]
                ],
            ),
        ],
    )


def _behind(number: int) -> sheet.Cell:
    return sheet.Cell(str(number), sheet.Tone.WARN if number else sheet.Tone.GOOD)
