"""`make tour`: play the story on the running stack."""

import os
import sys
import time
from pathlib import Path

from deploy.local import errors, folder, progress, settings
from deploy.local.tour import stage as stages
from deploy.local.tour import story, witness, workshop

ROOT = Path(__file__).resolve().parents[3]
INTERRUPTED = 130


def main() -> int:
    """Play every step; returns the exit status: 0 only if each of them holds."""
    wanted = settings.read(
        os.environ,
        root=ROOT,
        home=Path.home(),
        profile=settings.Profile.DEV,
        state=_state(os.environ.get("DECKLOG_STACK")),
    )
    state = folder.Folder(wanted.state)
    try:
        return play(state)
    except stages.Broken as error:
        print(f"\n{error}\n\n`make logs` shows what the services say; `make status` how they are.", file=sys.stderr)
        return 1
    except errors.StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return errors.closed(sys.stdout)
    except KeyboardInterrupt:
        print("\nInterrupted: what the tour changed in Git is put back.", file=sys.stderr)
        return INTERRUPTED


def play(state: folder.Folder) -> int:
    """Play on the stack in `state`. Raises StackError at the first step that does not hold."""
    stage = stages.enter(state)
    _check_demo(stage)
    began = time.monotonic()
    with workshop.opened(stage, state) as place:
        cast = story.Cast(stage, witness.Witness(stage, story.APPLICATION), place)
        for number, step in enumerate(story.STORY):
            print(f"\n{number}  {step.__doc__ or step.__name__}\n", flush=True)
            _play(cast, step)
    print(f"\nEvery step holds ({progress.duration(time.monotonic() - began)}).")
    return 0


def _play(cast: story.Cast, step: story.Step) -> None:
    try:
        step(cast)
    except stages.Broken as error:
        raise stages.Broken(f"✗ {step.__doc__ or step.__name__}\n{error}") from error


def _check_demo(stage: stages.Stage) -> None:
    names = [one["name"] for one in stage.ask("app", "list")]
    if story.APPLICATION not in names:
        raise errors.StackError(
            f"the tour plays on the demo's application {story.APPLICATION!r}, and this stack has none; "
            "on a cluster of your own: `make up CONTEXT=… DEMO=1`"
        )


def _state(stack: str | None) -> Path | None:
    """The stack that the shell sourced, where it did."""
    return Path(stack) if stack else None


if __name__ == "__main__":
    sys.exit(main())
