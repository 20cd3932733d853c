"""How far the record is, and when each service last spoke."""

from collections.abc import Sequence

from decklog.cli import moments, output, sheet
from decklog.cli.views import notices
from decklog.client import ledger_answers

_RUNGS = (sheet.Column("RUNG"), sheet.Column("SIZE", right=True), sheet.Column("BEHIND", right=True))
_TOPICS = (sheet.Column("TOPIC", fixed=False), sheet.Column("BEHIND", right=True))
_SERVICES = (
    sheet.Column("SERVICE"),
    sheet.Column("EVENTS", right=True),
    sheet.Column("LAST LEAF", right=True),
    sheet.Column("LAST WORD", right=True),
)
_NOTICES = (
    sheet.Column("NOTICE"),
    sheet.Column("LEAVES", right=True),
    sheet.Column("LAST LEAF", right=True),
    sheet.Column("RECORDED", right=True),
)


def single(found: ledger_answers.Status, now: moments.Now) -> output.Answer:
    """The rungs of the ledger, the topics that are behind, the services, and what is wrong."""
    return output.Answer(
        value=found, names=[one["name"] for one in found["services"]], blocks=lambda: _blocks(found, now)
    )


def _blocks(found: ledger_answers.Status, now: moments.Now) -> Sequence[sheet.Block]:
    behind = [one for one in found["topics"] if one["behind"]]
    return [
        sheet.Sheet(
            columns=_RUNGS, rows=[(one["name"], str(one["size"]), _behind(one["behind"])) for one in found["rungs"]]
        ),
        *([_topics(behind)] if behind else []),
        sheet.Sheet(
            columns=_SERVICES, rows=[_service(one, now) for one in found["services"]], empty="No service spoke yet."
        ),
        *([_notices(found["notices"], now)] if found["notices"] else []),
        *_troubles(found),
    ]


def _topics(behind: Sequence[ledger_answers.TopicLag]) -> sheet.Sheet:
    return sheet.Sheet(columns=_TOPICS, rows=[(one["topic"], _behind(one["behind"])) for one in behind])


def _service(one: ledger_answers.Service, now: moments.Now) -> sheet.Row:
    return (one["name"], str(one["events"]), str(one["last_leaf"]), f"{moments.age(one['last_us'], now)} ago")


def _notices(counted: Sequence[ledger_answers.NoticeCount], now: moments.Now) -> sheet.Sheet:
    """What `decklog notice list` lists, by kind."""
    rows = [
        (notices.kind(one["kind"]), str(one["count"]), str(one["last_leaf"]), f"{moments.age(one['last_us'], now)} ago")
        for one in counted
    ]
    return sheet.Sheet(columns=_NOTICES, rows=rows)


def _troubles(found: ledger_answers.Status) -> list[sheet.Block]:
    lines = [sheet.Cell(f"{part} waits: {reason}", sheet.Tone.WARN) for part, reason in found["waiting"].items()]
    if found["unplaced"]:
        text = f"leaves that a projection could not place: {found['unplaced']} (see the view audit.unplaced)"
        lines.append(sheet.Cell(text, sheet.Tone.BAD))
    return [sheet.Prose(lines=lines, title="Trouble")] if lines else []


def _behind(number: int) -> sheet.Cell:
    return sheet.Cell(str(number), sheet.Tone.WARN if number else sheet.Tone.GOOD)
