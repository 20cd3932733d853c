"""What a request for a sync will do, how new what it knows is, and how far it came."""

from collections.abc import Mapping, Sequence
from typing import Any

from decklog.cli import choices, moments
from decklog.cli.views import words
from decklog.client import answers
from decklog.model import printable

LOOK_NOW = (
    "New commits are seen when the source is polled (every 30 s where nothing else is said), or at once: "
    "see `decklog source --help`"
)


def requested(known: answers.Application, commit: str, *, dry_run: bool, moved_us: int | None, now: moments.Now) -> str:
    """The sync as it was asked for: to which commit, and since when that one is the newest that is known.

    Args:
        known: the application before it was asked.
        commit: what was asked for; empty for the newest one.
        dry_run: nothing will be written.
        moved_us: when a ref of the source was last seen to move.
        now: for how long ago that was.
    """
    said = f"{'Dry-run' if dry_run else 'Sync'} of {known['name']}"
    if commit:
        told = f"{said} to {words.commit(commit)} requested"
        return told if dry_run else told + _taken_back(known, commit)
    failure = known["source_failure"]
    source, ref = words.spec(known["spec"], "source"), words.ref(words.spec(known["spec"], "ref"))
    if not known["available_commit"]:
        why = f": {failure['message']}" if failure else ""
        return f"{said} requested; no commit of {source} is known yet{why}"
    since = f", which moved last {moments.age(moved_us, now)} ago" if moved_us else ""
    newest = f"the newest commit of {ref} that is known of source {source}{since}"
    more = f"It cannot be followed now: {failure['message']}" if failure else LOOK_NOW
    return f"{said} to {words.commit(known['available_commit'])} requested: {newest}\n{more}"


def changed(name: str, before: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """What of an application is to be otherwise: `Application shop changed: mode heal → detect`."""

    def shown(value: Any) -> str:
        return words.spec({"": value}, "") or "(default)"

    steps = [
        f"{field} {shown(before.get(field, False if value is False else None))} → {shown(value)}"
        for field, value in changes.items()
        if value != before.get(field, False if isinstance(value, bool) else None)
    ]
    return f"Application {name} changed: {', '.join(steps)}" if steps else f"Application {name} is so already"


def _taken_back(known: answers.Application, commit: str) -> str:
    """What a mode that applies by itself makes of a commit that is not the newest; empty where it stays."""
    mode = words.spec(known["spec"], "mode")
    if mode not in ("apply", "heal") or known["available_commit"].startswith(commit):
        return ""
    newest = words.commit(known["available_commit"]) if known["available_commit"] else "the newest commit"
    by_api = known["origin"]["way"] == "api"
    detect = (
        f"set mode detect first (`decklog app set {known['name']} --mode detect`)"
        if by_api
        else (f"declare mode detect first, in {words.place(known['origin'])}")
    )
    return (
        f"\nNote: mode {mode} applies {newest} again by itself, at once. To stay at {words.commit(commit)}, "
        f"{detect}, or revert in Git"
    )


def skipped(found: Sequence[answers.SyncObject]) -> str:
    """How many objects a sync left alone and why the first was; empty if it left none."""
    left = [one for one in found if one["outcome"] == "skipped"]
    if not left:
        return ""
    count = "1 object was skipped" if len(left) == 1 else f"{len(left)} objects were skipped; the first"
    why = next((one["failure"] for one in left if one["failure"]), None)
    if why is None:
        return f"Note: {count} without a reason"
    return f"Note: {count}: {printable.excerpt(why['message'])}" + (f"\n  next   {why['hint']}" if why["hint"] else "")


def stage(name: str, reached: str, *, dry_run: bool) -> str:
    """How far it came: a stage as the server names it, `recorded`, `synced` or `healthy`."""
    if not dry_run:
        return f"{name} is {reached}"
    if reached == choices.Wait.RECORDED.value:
        return f"The dry-run of {name} is recorded"
    return (
        f"The dry-run of {name} went well and wrote nothing: `decklog timeline --app {name}` shows what a sync would do"
    )
