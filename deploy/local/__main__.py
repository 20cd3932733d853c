"""The local stack's command line; `make help` shows the same as make targets."""

import argparse
import os
import signal
import sys
from pathlib import Path

if __name__ == "__main__":  # Ctrl-C while the rest is imported ends this at once, and shows nobody a stack of frames
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from deploy.local import commands, errors, settings

ROOT = Path(__file__).resolve().parents[2]


def parser() -> argparse.ArgumentParser:
    """Options for all commands come first, then the command."""
    top = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    top.add_argument("--state", type=Path, help="the state folder (default: DECKLOG_STATE, else .decklog)")
    profiles = [profile.value for profile in settings.Profile]
    top.add_argument("--profile", choices=profiles, default="dev", help="dev: everything; test: servers without fsync")
    commands_of = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    start = commands_of.add_parser("up", help="start the stack and say how to use it")
    start.add_argument("--owner", type=int, metavar="PID", help="stop the stack when this process ends")
    serve = commands_of.add_parser("run", help="be the supervisor, in the foreground")
    serve.add_argument("--owner", type=int, metavar="PID", help="stop when this process ends")
    serve.add_argument("--attached", action="store_true", help=argparse.SUPPRESS)
    commands_of.add_parser("down", help="stop the stack")
    commands_of.add_parser("status", help="show every part")
    show = commands_of.add_parser("logs", help="follow the logs")
    show.add_argument("name", nargs="?", help="one part only")
    commands_of.add_parser("clean", help="stop, and remove the state folder and the demo's namespaces")
    for name, text in (
        ("hold", "stop one part and keep it stopped"),
        ("release", "let a held part start again"),
        ("restart", "stop one part and start it again"),
    ):
        commands_of.add_parser(name, help=text).add_argument("part")
    return top


def main() -> int:
    """Run one command; returns its exit status."""
    chosen = parser().parse_args()
    wanted = settings.read(
        os.environ, root=ROOT, home=Path.home(), profile=settings.Profile(chosen.profile), state=chosen.state
    )
    try:
        return commands.table[chosen.command](wanted, chosen)
    except errors.StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `make status | head`: who read has enough
        return errors.closed(sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
