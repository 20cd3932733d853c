"""The state of an application or a cluster at a moment: objects as a table."""

from collections.abc import Sequence

from decklog.cli import moments, output, sheet
from decklog.cli.views import words
from decklog.client import answers

_COLUMNS = (
    sheet.Column("OBJECT", fixed=False),
    sheet.Column("APPLICATION", fixed=False),
    sheet.Column("SINCE"),
    sheet.Column("VERSION", right=True),
    sheet.Column("LEAF", right=True),
)


NOTHING = "Nothing was there."


def listing(found: Sequence[answers.Version], now: moments.Now, *, nothing: str = NOTHING) -> output.Answer:
    """Every object that existed, with the version it had, since when, and the leaf that proves it.

    `nothing`: what a table without objects says.
    """
    return output.Answer(
        value=list(found),
        names=[one["object"] for one in found],
        blocks=lambda: [sheet.Sheet(columns=_COLUMNS, rows=[_row(one, now) for one in found], empty=nothing)],
    )


def _row(one: answers.Version, now: moments.Now) -> sheet.Row:
    return (
        words.kubernetes_object(one["object"]),
        one["application"] or "-",
        moments.brief(one["valid_from"], now),
        str(one["resource_version"]),
        str(one["leaf"]),
    )
