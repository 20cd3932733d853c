"""What a request for a sync will do, how new what it knows is, and how far it came."""

from decklog.cli import choices, moments
from decklog.cli.views import words
from decklog.client import answers

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
        return f"{said} to {words.commit(commit)} requested"
    failure = known["source_failure"]
    source, ref = words.spec(known["spec"], "source"), words.ref(words.spec(known["spec"], "ref"))
    if not known["available_commit"]:
        why = f": {failure['message']}" if failure else ""
        return f"{said} requested; no commit of {source} is known yet{why}"
    since = f", which moved last {moments.age(moved_us, now)} ago" if moved_us else ""
    newest = f"the newest commit of {ref} that is known of source {source}{since}"
    more = f"It cannot be followed now: {failure['message']}" if failure else LOOK_NOW
    return f"{said} to {words.commit(known['available_commit'])} requested: {newest}\n{more}"


def stage(name: str, reached: str, *, dry_run: bool) -> str:
    """How far it came: a stage as the server names it, `recorded`, `synced` or `healthy`."""
    if not dry_run:
        return f"{name} is {reached}"
    if reached == choices.Wait.RECORDED.value:
        return f"The dry-run of {name} is recorded"
    return (
        f"The dry-run of {name} went well and wrote nothing: `decklog timeline --app {name}` shows what a sync would do"
    )
