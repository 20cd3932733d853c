"""Drift: the episodes, and one with its patch and the field managers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from decklog.cli import moments, output, sheet
from decklog.cli.views import words
from decklog.client import answers

_LASTED = sheet.Column("LASTED", right=True)
_COLUMNS = (
    sheet.Column("EPISODE"),
    sheet.Column("APPLICATION", fixed=False),
    sheet.Column("OBJECT", fixed=False),
    sheet.Column("VERDICT"),
    sheet.Column("SINCE", right=True),
    _LASTED,
    sheet.Column("MANAGERS", fixed=False, spare=True),
)
SHORT_EPISODE = 8

_MANAGERS = (
    sheet.Column("MANAGER", fixed=False),
    sheet.Column("OPERATION"),
    sheet.Column("TIME"),
    sheet.Column("FIELDS", fixed=False),
)


def listing(found: Sequence[answers.Episode], now: moments.Now) -> output.Answer:
    """Episodes of drift. The beginning of its id names one: `decklog drift show EPISODE`.

    How long they lasted is a column where any is over. Who manages the fields is in `drift show`, too.
    """
    over = any(one["resolved_us"] for one in found)
    columns = [column for column in _COLUMNS if over or column is not _LASTED]
    return output.Answer(
        value=list(found),
        names=[one["episode"] for one in found],
        blocks=lambda: [
            sheet.Sheet(columns=columns, rows=[_row(one, now, over=over) for one in found], empty="No drift.")
        ],
    )


def _row(one: answers.Episode, now: moments.Now, *, over: bool) -> sheet.Row:
    lasted = moments.span(one["resolved_us"] - one["opened_us"]) if one["resolved_us"] else "-"
    return (
        one["episode"][:SHORT_EPISODE],
        one["application"],
        words.kubernetes_object(one["object"]),
        _verdict(one),
        moments.age(one["opened_us"], now),
        *([lasted] if over else []),
        sheet.quiet(", ".join(dict.fromkeys(manager["manager"] for manager in one["managers"] or []))),
    )


def _verdict(one: answers.Episode) -> sheet.Cell:
    return sheet.word("resolved" if one["resolved_us"] else one["verdict"])


def single(one: answers.Episode, now: moments.Now) -> output.Answer:
    """One episode: what differs, which field managers are known for it, and whether it is over."""
    return output.Answer(
        value=one,
        names=[one["episode"]],
        blocks=lambda: [
            _facts(one, now),
            *(
                [sheet.Prose(lines=words.failure(one["failure"]), title="Why it cannot be told")]
                if one["failure"]
                else []
            ),
            *(
                [sheet.Prose(lines=_patch(one["patch"]), title="Patch from live to Git", indent=9)]
                if one["patch"]
                else []
            ),
            *_managers(one, now),
        ],
    )


def _facts(one: answers.Episode, now: moments.Now) -> sheet.Facts:
    resolved = "not yet"
    if one["resolved_us"]:
        lasted = moments.span(one["resolved_us"] - one["opened_us"])
        resolved = f"{moments.full(one['resolved_us'], now)}, after {lasted}"
    return sheet.Facts(
        pairs=[
            ("episode", one["episode"]),
            ("object", words.kubernetes_object(one["object"])),
            ("application", f"{one['application']} on {one['cluster']}"),
            ("verdict", sheet.word(one["verdict"])),
            ("compared with", f"{one['source']}@{words.commit(one['commit'])}"),
            ("opened", moments.full(one["opened_us"], now)),
            ("resolved", resolved),
            ("observations", str(one["observations"])),
        ]
    )


def _patch(patch: Sequence[Mapping[str, Any]]) -> list[sheet.Cell | str]:
    """JSON Patch (RFC 6902), one operation a line."""
    return [_step(step) for step in patch]


def _step(step: Mapping[str, Any]) -> sheet.Cell:
    value = f"  {json.dumps(step['value'], ensure_ascii=False)}" if "value" in step else ""
    tones = {"add": sheet.Tone.GOOD, "remove": sheet.Tone.BAD}
    return sheet.Cell(f"{step.get('op', ''):<8} {step.get('path', '')}{value}", tones.get(step["op"], sheet.Tone.WARN))


def _managers(one: answers.Episode, now: moments.Now) -> list[sheet.Block]:
    if not one["managers"]:
        return []
    rows = [
        (
            manager["manager"],
            "/".join(filter(None, [manager["operation"], manager["subresource"]])),
            moments.brief(manager["time_us"], now) if manager["time_us"] else "-",
            ", ".join(manager["fields"]),
        )
        for manager in one["managers"]
    ]
    return [sheet.Sheet(columns=_MANAGERS, rows=rows, title="Field managers, as the API server remembers them")]
