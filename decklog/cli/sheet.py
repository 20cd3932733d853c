"""A table as a value: what is in it, not how it is drawn."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class Tone(enum.Enum):
    """What a word means for whoever is on call. Colour only repeats what the word says."""

    PLAIN = ""
    QUIET = "dim"
    GOOD = "green"
    BUSY = "cyan"
    WARN = "yellow"
    BAD = "red"


@dataclass(frozen=True, slots=True)
class Cell:
    """Text with a tone."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `fixed` ones keep their width when space is short, the others wrap; `spare` ones are left out then."""

    title: str
    fixed: bool = True
    right: bool = False
    spare: bool = False


Row = Sequence[Cell | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table with a note for when it is empty."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and values, one pair a line; pairs without a value are left out."""

    pairs: Sequence[tuple[str, Cell | str]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Lines as they are, under a title."""

    lines: Sequence[Cell | str]
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """Sentences under a title, wrapped to fit. What does not fit goes on `indent` columns further in than it began."""

    lines: Sequence[Cell | str]
    title: str = ""
    indent: int = 2


Block = Sheet | Facts | Text | Prose

_TONES = {
    "in_sync": Tone.GOOD,
    "healthy": Tone.GOOD,
    "succeeded": Tone.GOOD,
    "resolved": Tone.GOOD,
    "ok": Tone.GOOD,
    "progressing": Tone.BUSY,
    "syncing": Tone.BUSY,
    "running": Tone.BUSY,
    "pending": Tone.BUSY,
    "drifted": Tone.WARN,
    "behind": Tone.BUSY,
    "off": Tone.QUIET,
    "modified": Tone.WARN,
    "missing": Tone.WARN,
    "extra": Tone.WARN,
    "suspended": Tone.WARN,
    "warning": Tone.WARN,
    "opened": Tone.WARN,
    "changed": Tone.WARN,
    "skipped": Tone.WARN,
    "aborted": Tone.WARN,
    "unknown": Tone.WARN,
    "degraded": Tone.BAD,
    "failed": Tone.BAD,
    "error": Tone.BAD,
    "refused": Tone.BAD,
}


def word(text: str) -> Cell:
    """A word of the contract as people read it (`in_sync` → `in sync`), toned by its meaning."""
    return Cell(text.replace("_", " ") or "-", _TONES.get(text, Tone.PLAIN))


def quiet(text: str) -> Cell:
    """Text of second rank."""
    return Cell(text, Tone.QUIET)


def text_of(cell: Cell | str) -> str:
    """The text of a cell."""
    return cell if isinstance(cell, str) else cell.text


def tone_of(cell: Cell | str) -> Tone:
    """The tone of a cell."""
    return Tone.PLAIN if isinstance(cell, str) else cell.tone
