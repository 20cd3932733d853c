"""The command `decklog`: assembles the tree, runs it, and turns whatever happens into an exit code."""

import errno
import re
import sys
from collections.abc import Sequence
from typing import Any

import typer
import typer.core
import typer.main

from decklog.cli import exits, report
from decklog.cli.commands import (
    admin,
    app,
    cluster,
    drift,
    erase,
    evidence,
    ledger,
    legal_hold,
    notice,
    prove,
    show,
    source,
    state,
    status,
    timeline,
    verify,
    version,
    witness,
)
from decklog.model import errors

_HELP = "Decklog: what was ordered, what happened, and who was on watch — for GitOps."
_EPILOG = "Exit codes: " + ", ".join(f"{code.value} {exits.SHORT[code]}" for code in exits.Code)


_ORDER = (
    "app",
    "cluster",
    "source",
    "timeline",
    "drift",
    "state",
    "show",
    "erase",
    "legal-hold",
    "ledger",
    "prove",
    "evidence",
    "verify",
    "witness",
    "notice",
    "status",
    "version",
    "admin",
)


class _InOrder(typer.core.TyperGroup):
    """Lists the commands as they are learnt, not commands first and groups after."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands."""
        return sorted(super().list_commands(ctx), key=_ORDER.index)


def tree() -> typer.Typer:
    """The whole command line."""
    root = typer.Typer(
        name="decklog",
        cls=_InOrder,
        help=_HELP,
        epilog=_EPILOG,
        no_args_is_help=True,
        rich_markup_mode=None,  # rich would double the time of --help
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    root.add_typer(app.commands, name="app")
    root.add_typer(cluster.commands, name="cluster")
    root.add_typer(source.commands, name="source")
    root.command("timeline")(timeline.timeline)
    root.add_typer(drift.commands, name="drift")
    root.command("state")(state.state)
    root.command("show")(show.show)
    root.command("erase")(erase.erase)
    root.add_typer(legal_hold.commands, name="legal-hold")
    root.add_typer(ledger.commands, name="ledger")
    root.command("prove")(prove.prove)
    root.command("evidence")(evidence.evidence)
    root.command("verify")(verify.verify)
    root.add_typer(witness.commands, name="witness")
    root.add_typer(notice.commands, name="notice")
    root.command("status")(status.status)
    root.command("version")(version.version)
    root.add_typer(admin.commands, name="admin", cls=admin.Group)
    return root


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    command = typer.main.get_command(tree())
    try:
        # Without standalone mode a typer.Exit comes back as its code, anything else as None.
        code = command.main(args=list(arguments), prog_name="decklog", standalone_mode=False)
    except errors.DecklogError as error:
        report.failure(error)
        return exits.code_of(error)
    except typer.TyperException as error:
        return _usage(error, _named(command, arguments))
    except (typer.Abort, KeyboardInterrupt):
        report.note("")
        return exits.Code.INTERRUPTED
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
        return exits.Code.CLOSED
    return code if isinstance(code, int) else exits.Code.DONE


def _named(command: Any, arguments: Sequence[str]) -> str:
    """The command whose words stand first: not every error says whose it is (an option without its value)."""
    path = ["decklog"]
    for word in arguments:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            break
        path.append(word)
    return " ".join(path)


def _usage(error: typer.TyperException, named: str) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else named
    problem = _plain(error.format_message())
    if context is not None and problem == context.get_help():
        report.note(problem)  # a group without a command: its help is the answer
    else:
        report.usage(problem, path)
    return exits.Code.USAGE


_WORDS = (
    (re.compile(r"^Invalid value: "), ""),  # of no single flag: the sentence says it all
    (re.compile(r" is not a valid int(eger)?( range)?\b"), " is not a whole number"),
    (re.compile(r" is not in the range x>=(\d+)"), r" is too small; the least is \1"),
    (re.compile(r" is not in the range (\d+)<=x<=(\d+)"), r" is not between \1 and \2"),
    (re.compile(r"^Got unexpected extra argument\S* \((.*)\)"), r"too many arguments: \1"),
)
"""The parser's words, where people say it otherwise."""


def _plain(message: str) -> str:
    for pattern, words in _WORDS:
        message = pattern.sub(words, message)
    return message


if __name__ == "__main__":
    main()
