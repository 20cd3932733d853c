"""Tables are readable at 80 columns: each is compared with how it was when a person last looked at it.

After a deliberate change: DECKLOG_WRITE_GOLDEN=1 pytest tests/golden/test_cli_tables.py, then read the difference.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from decklog.cli import differences, output, screen
from decklog.cli.views import (
    accepted,
    applications,
    changes,
    declared,
    drift,
    event,
    evidence,
    state,
    status,
    timeline,
    verdict,
)
from decklog.client import answers
from tests.golden import cli_answers as given
from tests.golden import verdicts

FOLDER = Path(__file__).parent / "cli"

TABLES: dict[str, Callable[[], output.Answer]] = {
    "app-list": lambda: applications.listing([given.BLOG, given.NEW, given.SHOP], [given.REFUSAL], given.NOW),
    "app-list-failing": lambda: applications.listing([given.REFUSED, given.TWICE], [], given.NOW),
    "app-get-refused": lambda: applications.single(given.REFUSED_DETAIL, given.NOW),
    "app-get-not-counting": lambda: applications.single(given.SHOP_DETAIL, given.NOW),
    "app-list-nothing-declared": lambda: applications.listing([given.EMPTY, given.LEFT_OVER, given.NEW], [], given.NOW),
    "app-get-nothing-declared": lambda: applications.single(given.EMPTY_DETAIL, given.NOW),
    "verify-completeness": lambda: verdict.single(verdicts.COMPLETE, receipts=True, compared=verdicts.COMPLETE_BESIDE),
    "verify-completeness-holes": lambda: verdict.single(verdicts.HOLES, receipts=True, compared=verdicts.HOLES_BESIDE),
    "verify-evidence": lambda: evidence.single(verdicts.EVIDENCE),
    "verify-evidence-forged": lambda: evidence.single(verdicts.FORGED),
    "app-list-empty": lambda: applications.listing([], [], given.NOW),
    "app-get": lambda: applications.single(given.DETAIL, given.NOW),
    "cluster-list": lambda: declared.clusters(given.CLUSTERS),
    "source-list": lambda: declared.sources(given.SOURCES, given.NOW),
    "timeline": lambda: timeline.listing(given.MOMENTS, given.NOW),
    "drift-list": lambda: drift.listing([given.EPISODE, given.HEALED], given.NOW),
    "drift-show": lambda: drift.single(given.EPISODE, given.NOW),
    "drift-show-resolved": lambda: drift.single(given.HEALED, given.NOW),
    "drift-show-unknown": lambda: drift.single(given.UNTOLD, given.NOW),
    "state": lambda: state.listing(given.VERSIONS, given.NOW),
    "state-diff": lambda: changes.listing(differences.between(given.VERSIONS, given.LATER)),
    "show": lambda: event.single(given.EVENT, given.NOW),
    "show-sync": lambda: event.single(given.SYNC_EVENT, given.NOW),
    "status": lambda: status.single(given.STATUS, given.NOW),
    "status-trouble": lambda: status.single(given.TROUBLED, given.NOW),
    "accepted": lambda: accepted.accepted("application", "shop", given.ACCEPTED),
}

PAYLOADS = ("show", "show-sync")
"""What an event says is left to the terminal to wrap, so that it can be copied whole."""


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_as_it_was_when_a_person_last_looked(name: str) -> None:
    drawn = screen.lines(TABLES[name]().blocks(), width=80, colour=False)
    path = FOLDER / f"{name}.txt"
    if os.environ.get("DECKLOG_WRITE_GOLDEN"):
        path.write_text(drawn)
    assert drawn == path.read_text()


@pytest.mark.parametrize("name", TABLES)
def test_no_line_is_wider_than_the_terminal_or_ends_in_spaces(name: str) -> None:
    for line in screen.lines(TABLES[name]().blocks(), width=80, colour=False).splitlines():
        assert line == line.rstrip()
        assert len(line) <= 80 or name in PAYLOADS


@pytest.mark.parametrize("name", TABLES)
def test_without_a_terminal_nothing_is_wrapped_or_cut(name: str) -> None:
    answer = TABLES[name]()
    wide = screen.lines(answer.blocks(), width=100_000, colour=False)
    assert "…" not in wide.replace("masked:e4e37594:01234567…", "")  # a digest is short for people everywhere
    assert "\x1b" not in wide
    assert len(wide.splitlines()) <= len(screen.lines(answer.blocks(), width=80, colour=False).splitlines())


def test_what_is_spare_is_left_out_where_there_is_no_room() -> None:
    """The object is what a list of drifts is read for: managers stand in `drift show`, too, nothing open is over."""
    blocks = TABLES["drift-list"]().blocks()
    assert "MANAGERS" not in screen.lines(blocks, width=99, colour=False)
    assert "kubectl-scale" in screen.lines(blocks, width=100, colour=False)
    still_open = drift.listing([given.EPISODE], given.NOW).blocks()
    assert "LASTED" not in screen.lines(still_open, width=100, colour=False)


@pytest.mark.parametrize("name", TABLES)
def test_colour_adds_nothing_but_colour(name: str) -> None:
    blocks: Sequence[output.sheet.Block] = TABLES[name]().blocks()
    coloured = screen.lines(blocks, width=80, colour=True)
    assert _without_colour(coloured) == screen.lines(blocks, width=80, colour=False)


def _without_colour(text: str) -> str:
    import re

    return "".join(f"{line.rstrip()}\n" for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines())


def test_a_line_of_a_followed_timeline_goes_on_below_what_it_says() -> None:
    """The columns before it are free for the next line's."""
    long: answers.Moment = {**given.MOMENTS[1], "summary": "Deployment.apps shop/web failed: " + "refused " * 20}
    first, *rest = screen.lines([timeline.line(long, given.NOW)], width=80, colour=False).splitlines()
    begins = first.index("Deployment")
    assert rest
    assert all(line[:begins].isspace() and len(line) <= 80 for line in rest)
