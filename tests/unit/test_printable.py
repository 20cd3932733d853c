"""What people read shows every character that it has, and makes a terminal do nothing."""

import json
import re
import sys
import unicodedata
from pathlib import Path

import pytest

from decklog.cli import documents, report, screen, sheet
from decklog.model import errors, printable

FORGED = "ok\x1b[31m \x9b2J \u202egnp.exe\u202c a\u200bb \r\x00\x7f \U000e0041"
SEEN = r"ok\x1b[31m \x9b2J \u202egnp.exe\u202c a\u200bb \x0d\x00\x7f \U000e0041"

VISIBLE = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Format characters that have a shape (Unicode: Prepended_Concatenation_Mark)."""


def test_controls_and_changes_of_direction_are_written_out() -> None:
    assert printable.shown(FORGED) == SEEN
    assert printable.shown(SEEN) == SEEN


def test_tab_line_feed_and_every_alphabet_stay_as_they_are() -> None:
    text = "a\tb\nÄ é 漢字 עברית العربية ไทย ❤️ 👍🏽 → – ¬"
    assert printable.shown(text) == text
    assert not printable.hides(text)


def test_no_control_and_no_format_character_is_left_out() -> None:
    """All of Unicode: what is escaped are at least the controls, format characters, separators and surrogates."""
    hidden = {one for one in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(one) in ("Cc", "Cf", "Cs")}
    hidden |= {"\u2028", "\u2029"}
    assert {one for one in hidden - VISIBLE - {"\t", "\n"} if not printable.hides(one)} == set()
    assert {one for one in map(chr, range(0x20, 0x2000)) if printable.hides(one)} - hidden == set("\u034f\u115f\u1160")


def test_the_page_s_script_writes_out_the_same_characters() -> None:
    """Lines that come later are made by the script, those of the page by the template."""
    script = (Path(__file__).parents[2] / "services/audit/page/static/decklog.js").read_text()
    (parts,) = re.findall(r'const HIDDEN = new RegExp\(\n(.*?), "gu"\);', script, re.DOTALL)
    written = "".join(re.findall(r'"(.*?)"', parts)).replace("\\\\", "\\")
    pattern = re.sub(
        r"\\u\{(\w+)\}|\\u(\w{4})|\\x(\w{2})", lambda one: chr(int(one[1] or one[2] or one[3], 16)), written
    )
    assert pattern == printable._HIDDEN.pattern


@pytest.mark.parametrize(
    "block",
    [
        sheet.Sheet(columns=[sheet.Column("A")], rows=[[FORGED]], title=FORGED),
        sheet.Sheet(columns=[sheet.Column("A")], rows=[], empty=FORGED),
        sheet.Facts(pairs=[(FORGED, sheet.Cell(FORGED, sheet.Tone.BAD))]),
        sheet.Text([FORGED]),
        sheet.Prose(lines=[FORGED]),
    ],
)
@pytest.mark.parametrize("colour", [False, True])
def test_no_block_that_is_drawn_makes_a_terminal_do_anything(block: sheet.Block, colour: bool) -> None:
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", screen.lines([block], width=200, colour=colour))
    assert not printable.hides(drawn)
    assert SEEN in drawn


def test_no_note_and_no_error_does(capsys: pytest.CaptureFixture[str]) -> None:
    report.note(FORGED)
    report.failure(errors.Refused(FORGED, where=FORGED, hint=FORGED))
    screen.names([FORGED])
    said = capsys.readouterr()
    assert not printable.hides(said.err + said.out)
    assert said.err.count(r"\x1b[31m") == 4
    assert said.out == f"{SEEN}\n"


def test_json_and_yaml_are_plain_and_mean_the_same() -> None:
    value = {FORGED: [FORGED, "ok"]}
    for text in (documents.to_json(value), documents.to_json_line(value)):
        assert not printable.hides(text)
        assert json.loads(text) == value
    assert not printable.hides(documents.to_yaml(value))


def test_a_dumped_object_is_shown_by_its_beginning_and_how_it_ends() -> None:
    """The API server repeats the whole of an immutable field, and says last what is wrong."""
    dump = "\n".join(f'    Name{number}: "", Value{number}: nil,' for number in range(60))
    begins = 'Job.batch "migrate" is invalid: spec.template: Invalid value: core.PodTemplateSpec{'
    short = printable.excerpt(f"{begins}{dump}}}: field is immutable")
    assert short.startswith(begins)
    assert short.endswith(": field is immutable (`decklog show EVENT` has all of it)")
    assert "\n" not in short
    assert len(short) < 400
    usual = 'Deployment.apps "web" is invalid:\n  spec.replicas: must not be negative'
    assert printable.excerpt(usual) == usual


def test_a_name_with_a_line_end_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A file in somebody's zip may be called so: a list of names has as many lines as names."""
    screen.names(["a\nVerified: \tevery byte", "b"])
    assert capsys.readouterr().out == "a\\x0aVerified: \\x09every byte\nb\n"


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("git fetch --unshallow", "git fetch --unshallow"),
        ("decklog status", "decklog status"),
        ("chmod 600 FILE", "chmod 600 FILE"),
        ("ask for another one.", "Ask for another one"),
        ("gitea is not Git", "Gitea is not Git"),
    ],
)
def test_a_command_in_a_hint_is_written_as_it_is_typed(
    capsys: pytest.CaptureFixture[str], hint: str, said: str
) -> None:
    """A sentence begins with a capital letter, a command with the one that it has."""
    report.failure(errors.Refused("it failed", hint=hint))
    assert capsys.readouterr().err.endswith(f"  next   {said}\n")
