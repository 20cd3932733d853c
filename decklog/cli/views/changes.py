"""What changed between two moments: objects and their fields, before and after."""

import json
from collections.abc import Sequence
from typing import Any

from decklog.cli import differences, output, sheet
from decklog.cli.views import words

_COLUMNS = (
    sheet.Column("OBJECT", fixed=False),
    sheet.Column("FIELD", fixed=False),
    sheet.Column("BEFORE", fixed=False),
    sheet.Column("AFTER", fixed=False),
)
_TONES = {"added": sheet.Tone.GOOD, "removed": sheet.Tone.BAD, "changed": sheet.Tone.WARN}


def listing(found: Sequence[differences.Change]) -> output.Answer:
    """One line for each field that differs, one for each object that came or went."""
    return output.Answer(
        value=list(found),
        names=[one["object"] for one in found],
        blocks=lambda: [
            sheet.Sheet(columns=_COLUMNS, rows=[row for one in found for row in _rows(one)], empty="Nothing differs.")
        ],
    )


def _rows(one: differences.Change) -> list[sheet.Row]:
    name = words.kubernetes_object(one["object"])
    word = sheet.Cell(one["change"], _TONES[one["change"]])
    if not one["fields"]:
        return [(name, word, "", "")]
    return [_field(name if number == 0 else "", field) for number, field in enumerate(one["fields"])]


def _field(name: str, field: differences.Field) -> sheet.Row:
    if not field["comparable"]:
        return (name, field["path"], sheet.Cell("masked under different keys: unknown", sheet.Tone.WARN), "")
    return (name, field["path"], _value(field["before"]), _value(field["after"]))


def _value(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
