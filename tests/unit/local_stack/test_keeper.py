"""What the keeper does with a program's environment, on real processes."""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local import errors, folder, keeper, processes, status

TELLS = "import os, pathlib, signal, sys; pathlib.Path(sys.argv[1]).write_text(os.environ['SAID']); signal.pause()"


def kept(path: Path, added: Callable[[], dict[str, str]]) -> tuple[keeper.Keeper, keeper.Unit]:
    """A keeper, and a program that writes the variable SAID into the file `said` of `path` and stays."""
    state = folder.Folder(path)
    state.make()
    program = processes.Program(
        name="one",
        argv=(sys.executable, "-c", TELLS, str(path / "said")),
        cwd=path,
        log=state.log("one"),
        env={"PATH": os.defpath, "SAID": "by the stack"},
    )

    async def said() -> bool:
        return (path / "said").exists()

    return keeper.Keeper(state, status.Board(state.status, "")), keeper.Unit(program=program, ready=said, added=added)


async def test_what_the_user_adds_wins_at_each_start(tmp_path: Path) -> None:
    """It is asked again when the program is started again, and stands before what the stack says."""
    answers = iter(("first", "second"))
    keeping, unit = kept(tmp_path, lambda: {"SAID": next(answers)})
    try:
        for expected in ("first", "second"):
            (tmp_path / "said").unlink(missing_ok=True)
            await keeping.keep(unit)
            assert (tmp_path / "said").read_text() == expected
            await keeping.stop(("one",))
    finally:
        await keeping.stop(("one",))


async def test_what_cannot_be_read_keeps_it_from_starting(tmp_path: Path) -> None:
    """Nothing runs with half of the settings, and who waits hears why."""

    def wrong() -> dict[str, str]:
        raise errors.StackError("one.env, line 3: no")

    keeping, unit = kept(tmp_path, wrong)
    try:
        with pytest.raises(errors.StackError, match=r"one\.env, line 3: no"):
            await keeping.keep(unit)
        assert not (tmp_path / "said").exists()
    finally:
        await keeping.stop(("one",))


async def test_who_holds_a_part_that_crashes_does_not_wait_for_its_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pauses grow to half a minute, and it is held to mend what makes it crash. Nothing of it runs: none is ended."""
    monkeypatch.setattr(keeper, "BACKOFF", (0.01, 0.01, 0.01, 60.0))
    keeping, unit = kept(tmp_path, dict)
    failing = replace(unit, program=replace(unit.program, argv=("false",)), importance=keeper.Importance.RETRIED)
    with pytest.raises(errors.StackError, match="ended with status 1"):
        await keeping.keep(failing)
    try:
        (keeping.state.holds / "one").touch()
        assert not processes.end(keeping.state.processes, "one")
        async with asyncio.timeout(30):
            while keeping.board.parts["one"].state != "held":  # noqa: ASYNC110 - the board tells nobody
                await asyncio.sleep(0.05)
    finally:
        await keeping.stop(("one",))


def test_why_a_service_ended_is_its_last_word(tmp_path: Path) -> None:
    """Its log is for machines; who waits for it reads the sentence. What is no such line stays as it is."""
    log = tmp_path / "audit.log"
    log.write_text('{"event": "starting"}\n{"error": "DECKLOG_X: no", "event": "cannot run"}\n')
    assert processes.last_words(log).strip() == "DECKLOG_X: no"
    log.write_text("Killed\n")
    assert processes.last_words(log).strip() == "Killed"
