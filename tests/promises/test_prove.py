"""The engine of `make prove-promises` tells red for the right reason from every other colour, and fits the code."""

from pathlib import Path

import pytest

from tests.promises import breaks, prove

GREEN = '<testsuites><testsuite><testcase name="a"/></testsuite></testsuites>'
RED = (
    '<testsuites><testsuite><testcase name="a"><failure message="AssertionError: a secret was recorded">x</failure>'
    "</testcase></testsuite></testsuites>"
)
CRASHED = (
    '<testsuites><testsuite><testcase name="a"><error message="collection failure">ImportError</error></testcase>'
    "</testsuite></testsuites>"
)
BREAK = breaks.Break(
    promise=6, name="a break", file="a.py", anchor="one", replacement="two", tests=("t",), words="a secret was recorded"
)


@pytest.mark.parametrize(
    ("report", "complaint"),
    [
        (RED, ""),
        (GREEN, "stayed green"),
        (CRASHED, "could not run"),
        (RED.replace("secret", "NameError"), "red, but not with"),
        (GREEN.replace('"a"/>', '"a"><skipped message="no stack"/></testcase>'), "stayed green"),
    ],
)
def test_only_red_for_the_right_reason_counts(report: str, complaint: str) -> None:
    """A green, skipped, crashed or otherwise failing test proves nothing."""
    said = prove.judge(BREAK, prove.read_report(report))
    assert (complaint in said) if complaint else not said


@pytest.mark.parametrize("text", ["", "nothing here", "one and one"])
def test_an_anchor_that_does_not_fit_is_an_error(text: str, tmp_path: Path) -> None:
    """Absent or ambiguous: the break is no longer about the line it was written for."""
    (tmp_path / "a.py").write_text(text)
    with pytest.raises(prove.AnchorLost, match=r"a break.*a\.py"):
        prove.apply(BREAK, tmp_path)


@pytest.mark.parametrize("broken", breaks.BREAKS, ids=lambda one: one.name)
def test_every_break_fits_the_code(broken: breaks.Break) -> None:
    """Whoever changes the line that a break is about hears of it at once, not when the promises are next proved."""
    text = (prove.ROOT / broken.file).read_text()
    assert text.count(broken.anchor) == 1, f"mend the break {broken.name!r} in tests/promises/breaks.py"
    assert broken.promise in breaks.PROMISES
    for test in broken.tests:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (prove.ROOT / file).read_text()


def test_every_promise_has_a_break() -> None:
    """A promise without a break would be one that nobody saw fail."""
    assert {one.promise for one in breaks.BREAKS} == set(breaks.PROMISES)
