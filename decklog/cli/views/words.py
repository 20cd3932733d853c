"""Short forms shared by the views: objects, commits, places, failures."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from decklog.cli import sheet
from decklog.client import answers
from decklog.model import objects, printable

SHORT_COMMIT = 8
_SHOWN = re.compile(r"([A-Z]\w*)(?:\.(\S+))? (?:([^\s/]+)/)?([^\s/]+)")
_OPAQUE = re.compile(r"[0-9a-f]{16,}")
_MASKED = re.compile(r"\b(masked:[0-9a-f]+:[0-9a-f]{8})[0-9a-f]{56}\b")
_MOST_NAMED = 5


def commit(full: str) -> str:
    """The beginning of a commit's id, long enough to be found again."""
    return full[:SHORT_COMMIT] or "-"


def actor(full: str) -> str:
    """Who, with an opaque id shortened: `author:6b67079e…` says as much to a reader."""
    return _OPAQUE.sub(lambda found: f"{found[0][:SHORT_COMMIT]}…", full)


def masked(text: str) -> str:
    """A sentence with the digests of masked values shortened, as nobody reads them."""
    return _MASKED.sub(r"\1…", text)


def ref(full: str) -> str:
    """A ref as people say it: `refs/heads/main` → `main`."""
    return full.removeprefix("refs/heads/").replace("refs/tags/", "tag ")


def count(number: int, noun: str) -> str:
    """`1 object`, `2 objects`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def revision(synced: str, available: str) -> str:
    """What is there, and what is on its way: `1a2b3c4d`, or `1a2b3c4d→5e6f7a8b`."""
    if available and available != synced:
        return f"{commit(synced)}→{commit(available)}"
    return commit(synced)


def kubernetes_object(key: str) -> str:
    """An object's key as kubectl would say it; a key that is none stays as it is."""
    try:
        return objects.ObjectKey.parse(key).display
    except ValueError:
        return key


def object_key(text: str) -> str:
    """The opposite of `kubernetes_object`, so that what a table shows can be asked for; a key stays as it is."""
    found = _SHOWN.fullmatch(text.strip())
    return text if found is None else str(objects.ObjectKey(found[2] or "", found[1], found[3] or "", found[4]))


def place(origin: answers.Origin | None) -> str:
    """Where something was declared: `shop.yaml:12 of fleet@1a2b3c4d`, or `the API`."""
    if not origin:
        return "-"
    if origin["way"] != "git":
        return "the API"
    line = f":{origin['line']}" if origin.get("line") else ""
    return f"{origin.get('file', '')}{line} of {origin.get('source', '')}@{commit(origin.get('commit', ''))}"


def failure(found: answers.Failure, subject: str = "") -> list[sheet.Cell | str]:
    """A failure on two lines: what and where, and what to do next."""
    line = f":{found['line']}" if found.get("line") else ""
    where = f" [{found['file']}{line}]" if found.get("file") else ""
    about = kubernetes_object(found.get("object", ""))
    about = f" ({about})" if about and about not in subject else ""
    message = printable.excerpt(found["message"] or found["reason"])
    said = f"{subject}: {message}" if subject else message
    lines: list[sheet.Cell | str] = [sheet.Cell(masked(f"{said}{about}{where}"), sheet.Tone.BAD)]
    if found.get("hint"):
        hint = found["hint"]
        lines.append(sheet.quiet(f"  next: {hint[:1].upper()}{hint[1:]}"))
    return lines


def failures(by_subject: Iterable[tuple[str, str, answers.Failure]], title: str = "Failures") -> list[sheet.Block]:
    """A block of failures, or none; each is told once, however many it keeps from something.

    Each comes with who has it (empty if that is plain) and what it is about, such as the stage that failed.
    """
    told: dict[tuple[object, ...], tuple[answers.Failure, list[str], list[str]]] = {}
    for who, what, found in by_subject:
        fields = (found["message"] or found["reason"], found.get("file"), found.get("line"), found.get("object"))
        _, having, about = told.setdefault(fields, (found, [], []))
        having.extend([who] if who and who not in having else [])
        about.extend([what] if what and what not in about else [])
    lines = [
        line
        for found, having, about in told.values()
        for line in failure(found, ": ".join(filter(None, [_some(having), ", ".join(about)])))
    ]
    return [sheet.Prose(lines=lines, title=title)] if lines else []


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def spec(found: Mapping[str, Any] | None, field: str) -> str:
    """A field of a declared spec as text; empty where it is not set."""
    value = (found or {}).get(field)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
