"""The timeline: one line per event, oldest first, as a log is read."""

from collections.abc import Sequence

from decklog.cli import moments, output, sheet
from decklog.cli.views import words
from decklog.client import answers

_LEVELS = {"error": sheet.Tone.BAD, "warning": sheet.Tone.WARN}
_APPLICATION_WIDTH = 14


def listing(found: Sequence[answers.Moment], now: moments.Now) -> output.Answer:
    """Some lines of the timeline. The leaf is the shortest name of an event: `decklog show LEAF`."""
    return output.Answer(
        value=list(found),
        names=[name(one) for one in found],
        blocks=lambda: [
            sheet.Sheet(
                columns=(
                    sheet.Column("LEAF", right=True),
                    sheet.Column("TIME"),
                    sheet.Column("ABOUT", fixed=False),
                    sheet.Column("WHAT (WHO)", fixed=False),
                ),
                rows=[_row(one, now) for one in found],
                empty="Nothing happened there.",
            )
        ],
    )


def name(one: answers.Moment) -> str:
    """The event's id; a leaf without one (a gap, a poisoned record) is named by its number."""
    return one["event_id"] or str(one["leaf"])


def line(one: answers.Moment, now: moments.Now) -> sheet.Facts:
    """One line of a timeline that is being followed: its columns cannot wait to see what is wider."""
    about = _about(one)[:_APPLICATION_WIDTH].ljust(_APPLICATION_WIDTH)
    time = moments.local(one["time_us"], now)
    return sheet.Facts(pairs=[(f"{one['leaf']:>7}  {time}  {about}", _said(one))])


def _row(one: answers.Moment, now: moments.Now) -> sheet.Row:
    return (
        str(one["leaf"]),
        moments.brief(one["time_us"], now),
        _about(one),
        _said(one),
    )


def _said(one: answers.Moment) -> sheet.Cell:
    """What happened and who did it: a column for the latter would take the room of the former."""
    who = _who(one)
    text = words.masked(one["summary"]) + (f" ({who})" if who else "")
    return sheet.Cell(text, _LEVELS.get(one["level"], sheet.Tone.PLAIN))


_SEEN = ("ObjectChanged", "DriftObserved")


def _who(one: answers.Moment) -> str:
    """Who did it. Of what was seen in a cluster only the last field managers are known: no claim that they did it."""
    if one["kind"] not in _SEEN or not one["actor"]:
        return words.actor(one["actor"])
    return f"last field manager{'s' if ', ' in one['actor'] else ''}: {one['actor']}"


def _about(one: answers.Moment) -> str:
    return one["application"] or one["source"] or one["cluster"] or "-"


def subject(one: answers.Moment) -> str:
    """What an event is about, most exactly."""
    return words.kubernetes_object(one["object"]) if one["object"] else _about(one)
