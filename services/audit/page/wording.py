"""How values look on the page: times, commits, words. Pure: the time is given."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from decklog.model import objects, printable, timestamps
from services.audit.core.projections import timeline

SECOND = 1_000_000
_OPAQUE = re.compile(r"[0-9a-f]{16,}")
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))

LABELS: Mapping[str, str] = {
    "in_sync": "In sync",
    "drifted": "Drifted",
    "behind": "Behind",
    "unknown": "Unknown",
    "off": "Off",
    "partition": "Wrong partition",
    "clock": "Clock ahead",
}

TONES: Mapping[str, str] = {
    "in_sync": "good",
    "healthy": "good",
    "succeeded": "good",
    "created": "good",
    "configured": "good",
    "resolved": "good",
    "progressing": "busy",
    "behind": "busy",
    "running": "busy",
    "suspended": "idle",
    "off": "idle",
    "pruned": "idle",
    "skipped": "idle",
    "drifted": "warn",
    "modified": "warn",
    "missing": "bad",
    "extra": "warn",
    "degraded": "bad",
    "failed": "bad",
    "aborted": "warn",
    "conflict": "bad",
    "poison": "bad",
    "gap": "warn",
    "partition": "warn",
    "clock": "warn",
    "late": "warn",
}
"""Colour follows meaning; what is not listed (unknown, not compared) is its own tone."""


def visible(value: Any) -> Any:
    """What a template says, with characters that do not show written out; markup stays (`decklog.js` does the same)."""
    return printable.shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def ago(moment_us: int | None, now_us: int) -> str:
    """`12 s ago`, `3 min ago`, `in 5 s` where clocks differ; empty for never."""
    if moment_us is None:
        return ""
    seconds = (now_us - moment_us) / SECOND
    if abs(seconds) < 1:
        return "now"
    size, unit = next((size, unit) for size, unit in _STEPS if abs(seconds) >= size)
    text = f"{abs(seconds) / size:.0f} {unit}"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def iso(moment_us: int | None) -> str:
    """RFC 3339, for `<time datetime>`; empty for never, or for what it cannot say."""
    try:
        return "" if moment_us is None else timestamps.format_us(moment_us)
    except (ValueError, OverflowError):
        return ""


def short(commit: str) -> str:
    """The beginning of a commit that people recognise."""
    return commit[:8]


def tone(word: str) -> str:
    """The class of a word's badge."""
    return TONES.get(word, "unknown")


def label(word: str) -> str:
    """A machine word for people: `in_sync` → `In sync`."""
    return LABELS.get(word) or word.replace("_", " ").capitalize() or "Not compared yet"


def sentence(text: str) -> str:
    """What to do next, as a sentence begins."""
    return text[:1].upper() + text[1:]


def who(actor: str) -> str:
    """Who, with an opaque id shortened: `author:6b67079e…` says as much to a reader."""
    return _OPAQUE.sub(lambda found: f"{found[0][:8]}…", actor)


def by(kind: str, actor: str) -> str:
    """Who did it, as a line of the timeline ends; of what was seen, who wrote last (`decklog.js` says the same)."""
    if kind in timeline.SEEN and actor:
        return f"last field manager{'s' if ', ' in actor else ''}: {actor}"
    return f"by {who(actor)}" if actor else ""


def counts(applications: Sequence[Mapping[str, Any]]) -> str:
    """What there is to look at, before one scrolls: `18 applications, 2 failing, 1 drifted`."""
    sound = [one for one in applications if not troubles(one)]
    parts = [
        (len(applications) - len(sound), "failing"),
        *((sum(one["sync_status"] == word for one in sound), word) for word in ("drifted", "unknown")),
        (sum(one["health"] in ("degraded", "missing") for one in sound), "unhealthy"),
    ]
    total = f"{len(applications)} application{'' if len(applications) == 1 else 's'}"
    return ", ".join([total, *(f"{number} {word}" for number, word in parts if number)])


def display(key: str) -> str:
    """An object's key as kubectl would say it."""
    try:
        return objects.ObjectKey.parse(key).display
    except ValueError:
        return key


def troubles(application: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Everything that failed and was not put right since, each once.

    The most basic comes first.
    """
    failures = application["failures"] or {}
    named = (
        (f"source {application['spec'].get('source')}", application.get("source_failure")),
        (f"cluster {application['cluster']}", application.get("cluster_failure")),
    )
    found = [*named, *((stage, failures.get(stage)) for stage in _STAGES)]
    told: dict[tuple[Any, ...], dict[str, Any]] = {}
    for stage, failure in found:
        if failure:
            same = told.setdefault(tuple(map(failure.get, _SAME)), {**failure, "stage": ""})
            same["stage"] = ", ".join(filter(None, [same["stage"], stage]))
    return list(told.values())


def note(application: Mapping[str, Any]) -> str:
    """That an application has nothing to deliver, which in sync and healthy do not tell; empty if it has."""
    declared = application["objects"] - application["extra"]
    if not application["rendered_commit"] or declared or "render" in (application["failures"] or {}):
        return ""
    kept = "; therefore nothing is pruned" if application["extra"] else ""
    return f"nothing is declared there: 0 objects at {short(application['rendered_commit'])}{kept}"


_SAME = ("message", "file", "line", "object")
"""What two failures have in common that are one, met at several stages."""

_STAGES = ("state", "render", "claim", "sync")


def step(change: Mapping[str, Any]) -> str:
    """The value that a step of a JSON Patch writes, short enough for a line."""
    if "value" not in change:
        return ""
    value = change["value"]
    text = value if isinstance(value, str) else repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 120 else text[:119] + "…"
