"""`-o table|json|yaml|name`: one answer, four ways to print it."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from decklog.cli import screen, sheet


class Format(enum.StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


Option = Annotated[
    Format,
    typer.Option("--output", "-o", help="A table for people, json or yaml with everything, or only the names."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command found: everything (`value`), the names alone, and how people read it."""

    value: Any
    names: Sequence[str]
    blocks: Callable[[], Sequence[sheet.Block]]


def show(answer: Answer, how: Format) -> None:
    """Print an answer on standard output."""
    match how:
        case Format.TABLE:
            screen.draw(answer.blocks())
        case Format.NAME:
            screen.names(answer.names)
        case Format.JSON | Format.YAML:
            screen.write(_document(answer.value, how))


def stream(value: Any, how: Format) -> None:
    """Print one of many values that arrive one by one: JSON on a line of its own, YAML as a document of its own."""
    from decklog.cli import documents  # the YAML library is not needed for a table

    screen.write(documents.to_json_line(value) if how is Format.JSON else "---\n" + documents.to_yaml(value))


def _document(value: Any, how: Format) -> str:
    from decklog.cli import documents

    return documents.to_json(value) if how is Format.JSON else documents.to_yaml(value)
