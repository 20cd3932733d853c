"""Drawing on the terminal: blocks become lines that fit, in colour where a person looks.

Only this module and `report` write. Standard output carries what was asked for, and nothing else.
"""

import io
import itertools
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from decklog.cli import exits, sheet
from decklog.model import errors, printable

_UNLIMITED = 100_000
_USUAL = 80
_ROOMY = 100
"""From here on there is room for what is spare."""
_NARROWEST = 20
"""Of a column that wraps: on what is narrower still, the terminal may wrap."""


def write(text: str) -> None:
    """Write to standard output. Ends the process quietly if nobody reads it any more. Raises Terminal if it is full."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard()
        raise SystemExit(exits.Code.CLOSED) from None
    except OSError as error:
        _discard()
        problem = f"the output could not be written: {(error.strerror or str(error)).lower()}"
        raise errors.Terminal(problem, hint="Write it somewhere else, or make room") from error


def _discard() -> None:
    """Python would complain once more when it flushes at exit: let it flush into nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def draw(blocks: Iterable[sheet.Block]) -> None:
    """Draw blocks on standard output, as wide as the terminal; unlimited where there is none."""
    write(lines(blocks, width=width_of(sys.stdout) or _UNLIMITED, colour=_colour()))


def lines(blocks: Iterable[sheet.Block], *, width: int, colour: bool) -> str:
    """The text of blocks at a width, without trailing spaces."""
    import rich.console  # here, because only a table should pay for it

    target = io.StringIO()
    console = rich.console.Console(
        file=target,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for number, block in enumerate(blocks):
        if number:
            console.print()
        _draw(console, block)
    return "".join(f"{line.rstrip()}\n" for line in target.getvalue().splitlines())


def _draw(console: Any, block: sheet.Block) -> None:
    if block.title:
        console.print(printable.shown(block.title), style="bold", soft_wrap=True)
    match block:
        case sheet.Sheet(rows=[], empty=empty):
            console.print(printable.shown(empty), soft_wrap=True)
        case sheet.Sheet():
            console.print(_table(block, console.width))
        case sheet.Facts():
            console.print(_grid(block))
        case sheet.Text():
            for line in block.lines:
                console.print(_styled(line), soft_wrap=True)
        case sheet.Prose():
            for line in block.lines:
                _wrapped(console, line, block.indent)


def _wrapped(console: Any, line: sheet.Cell | str, indent: int) -> None:
    """A sentence with a hanging indent; whole where nothing limits the width."""
    whole = _styled(line)
    begins = len(whole.plain) - len(whole.plain.lstrip())
    room = max(console.width - begins - indent, _NARROWEST)
    for number, piece in enumerate(whole[begins:].wrap(console, room)):
        piece.pad_left(begins + (indent if number else 0))
        console.print(piece, soft_wrap=True)


def _table(block: sheet.Sheet, width: int) -> Any:
    import rich.table

    table = rich.table.Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    kept = [not column.spare or width >= _ROOMY for column in block.columns]
    for column in itertools.compress(block.columns, kept):
        table.add_column(
            column.title,
            no_wrap=column.fixed,
            overflow="ellipsis" if column.fixed else "fold",
            justify="right" if column.right else "left",
            min_width=len(column.title) if column.fixed else min(len(column.title), 8),
        )
    for row in block.rows:
        table.add_row(*map(_styled, itertools.compress(row, kept)))
    return table


def _grid(block: sheet.Facts) -> Any:
    import rich.table

    table = rich.table.Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in block.pairs:
        if sheet.text_of(value):
            table.add_row(printable.shown(name), _styled(value))
    return table


def _styled(cell: sheet.Cell | str) -> Any:
    import rich.text

    return rich.text.Text(printable.shown(sheet.text_of(cell)), style=sheet.tone_of(cell).value)


def width_of(stream: TextIO) -> int | None:
    """How many columns a stream has: what COLUMNS says, else its terminal; None where nothing limits it."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    if not stream.isatty():
        return None
    return os.get_terminal_size(stream.fileno()).columns or _USUAL  # some terminals do not know how wide they are


def _colour() -> bool:
    """Colour for people at a terminal, unless they said no (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def names(found: Sequence[str]) -> None:
    """One name a line."""
    write("".join(f"{printable.line(name)}\n" for name in found))
