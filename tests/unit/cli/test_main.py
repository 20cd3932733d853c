"""The command line as a whole: exit codes, where messages go, and that printing help loads nothing heavy."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from decklog.cli import exits, main
from decklog.client import failures
from decklog.model import errors

HEAVY = (
    "httpx",
    "rich",
    "yaml",
    "google",
    "aiokafka",
    "asyncpg",
    "kubernetes_asyncio",
    "pygit2",
    "fastapi",
    "pydantic",
)
MODULES_OF_HELP = 302
"""What `decklog --help` imports today, with a little room. More means slower for everybody: find out what came in."""


def clean_environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DECKLOG_")}
    return kept | {"COLUMNS": "80"} | extra


def unwrapped(text: str) -> str:
    """What is said, however wide the terminal is."""
    return " ".join(text.split())


def decklog(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import sys; from decklog.cli.main import main; main()", *arguments],
        env=clean_environment(**extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The same in this process: for what is decided before anything is asked for, at a hundredth of the cost."""
    for name in [name for name in os.environ if name.startswith("DECKLOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main.run(arguments)
        return code, *capsys.readouterr()

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["topics", "ensure", "--kafka", "127.0.0.1:1"], "127.0.0.1:1"),
        (["audit-db", "--postgres", "postgresql://u:s3cr3t@127.0.0.1:1/decklog"], "Postgres at 127.0.0.1:1/decklog"),
        (["rebuild", "--postgres", "postgresql:///d?host=/none&password=s3cr3t"], "Postgres at /none/d"),
    ],
)
def test_an_admin_command_says_once_what_it_cannot_reach(arguments: list[str], where: str) -> None:
    """It tries once and ends: the address without the password, and no line of a library's log."""
    done = decklog("admin", *arguments, COLUMNS="500")
    assert done.returncode == exits.Code.UNAVAILABLE
    error, place, following = done.stderr.splitlines()
    assert error.startswith("Error: ")
    assert place.split(maxsplit=1) == ["where", where]
    assert following.split()[0] == "next"
    assert "s3cr3t" not in done.stderr
    assert "again" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["app", "create", "--help"], ["admin", "--help"]])
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from decklog.cli import main; main.run(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules}, len(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=clean_environment(), capture_output=True, text=True, check=True
    )
    *roots, count = done.stderr.split()
    assert set(HEAVY) & set(roots) == set()
    assert int(count) < MODULES_OF_HELP


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (failures.Misconfigured("x"), 2),
        (failures.Unauthorised("x"), 3),
        (failures.Rejected("x"), 3),
        (failures.Unavailable("x"), 4),
        (failures.TimedOut("x"), 5),
        (failures.NotFound("x"), 6),
        (failures.Failed("x"), 1),
        (errors.Terminal("x"), 1),
        (errors.Transient("x"), 4),
        (errors.Refused("x"), 3),
    ],
)
def test_each_failure_has_its_exit_code(failure: errors.DecklogError, code: int) -> None:
    assert exits.code_of(failure) == code


def test_every_exit_code_is_explained_in_help_and_documentation() -> None:
    text = " ".join(decklog("--help").stdout.split())
    page = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    for code in exits.Code:
        assert f"{code.value} {exits.SHORT[code]}" in text
        assert f"| {code.value} |" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ap"], "Did you mean 'app'?"),
        (["app", "lits"], "Did you mean 'list'?"),
        (["app", "create", "x", "--pune"], "--prune"),
        (["app", "list", "-o", "xml"], "xml"),
        (["app", "create", "x", "--path", "a", "--dest-cluster", "dev"], "either --repo URL|PATH or --source NAME"),
        (["app", "sync", "x", "--wait", "synced", "--timeout", "soon"], "'soon' is not a duration"),
        (["state", "--at", "yesteryear"], "not a moment; write now"),
        (["notice", "list", "--since", "01a2f3c4"], "write a time here"),
        (["notice", "list", "--since", "bogus"], "-1h or '10m ago'"),
        (["state", "--at", "-999999999999h"], "'-999999999999h' is before the year 1"),
        (["timeline", "--since", f"{'9' * 400}h"], "is before the year 1"),
        (["app", "sync", "x", "--wait", "synced", "--timeout", "9999999999h"], "is too long a time"),
        (["timeline", "--follow", "--until", "now"], "no end"),
        (["app", "get", ""], "'' can be the name of nothing"),
        (["app", "get", "a/../b"], "lower-case letters, digits and '-'"),
        (["app", "create", "Shop", "--path", "a", "--repo", "/x", "--dest-cluster", "dev"], "'Shop' is no valid name"),
        (["app", "create", "x", "--path", "../a", "--repo", "/x", "--dest-cluster", "dev"], "out of the repository"),
        (["app", "create", "x", "--path", "a", "--source", "b", "--dest-cluster", "Dev"], "'Dev' is no valid name"),
        (
            ["app", "create", "x", "--path", "a", "--source", "b", "--dest-cluster", "d", "--dest-namespace", "A_"],
            "'A_'",
        ),
        (
            ["app", "create", "x", "--path", "a", "--source", "b", "--dest-cluster", "d", "--health-timeout", "10ms"],
            "'10ms' is too short",
        ),
        (["app", "sync", "x", "--commit", "zzz"], "'zzz' is no commit; write its id or at least 4 digits of it"),
        (["app", "sync", "x", "--commit", "abc"], "at least 4 digits"),
        (["app", "sync", "x", "--reason", "a" * 1001], "it has 1001 characters; at most 1000 are recorded"),
        (["app", "set", "x"], "say what is to change, such as --mode detect"),
        (["app", "set", "x", "--path", "a/../b"], "leads out of the repository"),
        (["app", "set", "x", "--mode", "on"], "'on' is not one of"),
        (["cluster", "confirm", "a b"], "can be the name of nothing"),
        (["timeline", "--app", "a/b"], "can be the name of nothing"),
        (["evidence", "--app", "a'b", "-o", "x.zip"], "can be the name of nothing"),
        (["timeline", "--object", "web"], "'web' names no object; write it as tables show it"),
        (["timeline", "--since", "2999-01-01"], "is yet to come"),
        (["timeline", "--since", "1h", "--until", "2h"], "--since 1h is after --until 2h"),
        (["timeline", "--limit", "many"], "'many' is not a whole number"),
        (["timeline", "--limit", "0"], "0 is too small; the least is 1"),
        (["drift", "list", "--limit", "5000"], "5000 is not between 1 and 1000"),
        (["drift", "show", ""], "'' is no episode; write the beginning of its id"),
        (["show", "zzz"], "'zzz' is no event; write the number of its leaf"),
        (["show", "9" * 40], "is no event"),
        (["show", "01a"], "at least 4 digits of its id"),
        (["prove", "zzz", "-o", "/dev/null"], "'zzz' is no event"),
        (["app", "list", "more"], "too many arguments: more"),
        (["admin", "topic"], "Did you mean 'topics'?"),
    ],
)
def test_a_wrong_command_line_says_what_is_right(
    here: Callable[..., tuple[int, str, str]], arguments: list[str], said: str
) -> None:
    code, output, told = here(*arguments)
    assert code == exits.Code.USAGE
    assert said in unwrapped(told)
    assert output == ""


def test_a_script_must_say_what_becomes_of_the_objects(here: Callable[..., tuple[int, str, str]]) -> None:
    done = decklog("app", "delete", "shop")
    assert done.returncode == exits.Code.USAGE
    assert "--cascade deletes them, --keep leaves them" in unwrapped(done.stderr)
    code, _, _ = here("app", "delete", "shop", "--cascade", "--keep")
    assert code == exits.Code.USAGE


def test_without_settings_the_way_to_them_is_named() -> None:
    done = decklog("app", "list")
    assert done.returncode == exits.Code.USAGE
    assert "DECKLOG_SERVER is not set" in done.stderr
    assert "source .decklog/env" in done.stderr


def test_a_server_that_is_not_there_is_named_with_the_way_to_start_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("t0ken")
    done = decklog("app", "list", DECKLOG_SERVER="http://127.0.0.1:1", DECKLOG_TOKEN_FILE=str(token))
    assert done.returncode == exits.Code.UNAVAILABLE
    assert done.stdout == ""
    assert "cannot be reached: connection refused" in done.stderr
    assert "http://127.0.0.1:1" in done.stderr
    assert "make up" in done.stderr
    assert "t0ken" not in done.stderr


def test_errors_are_without_colour_where_nobody_looks() -> None:
    assert "\x1b" not in decklog("ap").stderr


def test_output_that_nobody_reads_ends_the_command_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "decklog.cli.main", "version"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (exits.Code.CLOSED, b"")


def test_a_command_that_needs_what_is_not_installed_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from decklog.cli.commands import admin

    installed = tmp_path / "partly_installed-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: partly-installed\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(f"[{admin.ENTRY_POINTS}]\nabsent = services_absent.topics:app\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert main.run(["admin", "absent"]) == exits.Code.USAGE
    assert "services_absent is missing" in capsys.readouterr().err


def test_asking_the_server_loads_no_other_command_line(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("t0ken")
    code = (
        "import sys; from decklog.cli import main; main.run(['app', 'list', '-o', 'name']);"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stdout)"
    )
    told = {"DECKLOG_SERVER": "http://127.0.0.1:1", "DECKLOG_TOKEN_FILE": str(token)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(**told), capture_output=True, text=True, check=True
    )
    assert "httpx" in done.stdout.split()
    assert {"click", "rich", "pygments", "yaml"} & set(done.stdout.split()) == set()


def test_every_command_and_flag_that_is_documented_exists() -> None:
    """docs/cli.md against the tree: no command is missing there, and none of its flags is gone."""
    import re

    import typer.main

    root = typer.main.get_command(main.tree())
    page = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        names = [f"{name} {below}" for below in getattr(command, "commands", {})] or [name]
        for one in names if name != "admin" else ["admin"]:
            assert re.search(rf"`(?:[^`]*, )?{one}\b", page), one
    known = {
        option
        for command in _every(root)
        for parameter in command.params
        for option in [*parameter.opts, *parameter.secondary_opts]
    }
    assert set(re.findall(r"--[a-z][a-z-]+", page)) <= known | {"--help", "--install-completion"}


def test_help_says_what_an_option_takes_in_words_of_its_own() -> None:
    """MOMENT, FILE, URI: what a value is for, and not how the program keeps it."""
    import re

    import typer.main

    for command in _every(typer.main.get_command(main.tree())):
        for parameter in command.params:
            shown = parameter.make_metavar(typer.Context(command))
            assert not re.match(r"<(str|path|int|float)\b", shown), (command.name, parameter.opts, shown)


def _every(command: object) -> list[Any]:
    below = getattr(command, "commands", {}).values()
    return [command, *[one for each in below for one in _every(each)]]


@pytest.mark.parametrize("group", ["ledger", "postgres", "repair", "topics"])
def test_the_help_of_an_admin_group_is_said_once_and_looks_like_that_of_the_others(
    here: Callable[..., tuple[int, str, str]], group: str
) -> None:
    code, output, told = here("admin", group)
    said = output + told
    assert (code, said.count("Usage:"), "╭" in said) == (2, 1, False)
    assert "--install-completion" not in said


@pytest.mark.parametrize(
    ("words", "asked"),
    [(["verify", "x", "--vkey"], "decklog verify"), (["ledger", "vkey", "--key"], "decklog ledger vkey")],
)
def test_an_option_without_its_value_leads_to_its_commands_help(
    words: list[str], asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parser does not say whose option it is; the help of the whole program would be no help."""
    assert main.run(words) == exits.Code.USAGE
    assert f"next   {asked} --help" in capsys.readouterr().err
