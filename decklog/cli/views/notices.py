"""Notices: one line per leaf that an operator should hear of."""

from collections.abc import Sequence

from decklog.cli import moments, output, sheet
from decklog.client import ledger_answers

_BAD = frozenset({"conflict", "poison"})
"""What is wrong for good; the others were recorded all the same, or are known to be lost."""

_COLUMNS = (
    sheet.Column("LEAF", right=True),
    sheet.Column("RECORDED"),
    sheet.Column("KIND"),
    sheet.Column("CAME BY", fixed=False),
    sheet.Column("WHY", fixed=False),
)


def listing(found: Sequence[ledger_answers.Notice], now: moments.Now) -> output.Answer:
    """Some notices. `decklog show LEAF` shows what was recorded."""
    return output.Answer(
        value=list(found),
        names=[str(one["leaf"]) for one in found],
        blocks=lambda: [sheet.Sheet(columns=_COLUMNS, rows=[_row(one, now) for one in found], empty="No notice.")],
    )


def kind(text: str) -> sheet.Cell:
    """A kind, toned by how bad it is."""
    return sheet.Cell(text, sheet.Tone.BAD if text in _BAD else sheet.Tone.WARN)


def _row(one: ledger_answers.Notice, now: moments.Now) -> sheet.Row:
    return (
        str(one["leaf"]),
        moments.brief(one["recorded_us"], now),
        kind(one["kind"]),
        f"{one['topic']}/{one['partition']}@{one['record_offset']}",
        one["reason"],
    )
