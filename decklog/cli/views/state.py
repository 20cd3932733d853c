"""The state of an application or a cluster at a moment: objects as a table."""

from collections import Counter
from collections.abc import Iterator, Sequence

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


def unwatched(found: answers.State, now: moments.Now) -> Iterator[str]:
    """Of objects that were left to themselves before the moment: a note for each application that has some."""
    objects = Counter(one["application"] for one in found["items"])
    for one in found["unwatched"]:
        if objects[one["application"]]:
            when = "when it was removed" if one["why"] == "removed" else "when its mode became off"
            since, count = moments.full(one["since_us"], now), words.count(objects[one["application"]], "object")
            yield (
                f"Note: application {one['application']} has not been watched since {since}, {when}; "
                f"here as last seen then: {count}"
            )


def _row(one: answers.Version, now: moments.Now) -> sheet.Row:
    return (
        words.kubernetes_object(one["object"]),
        one["application"] or "-",
        moments.brief(one["valid_from"], now),
        str(one["resource_version"]),
        str(one["leaf"]),
    )
