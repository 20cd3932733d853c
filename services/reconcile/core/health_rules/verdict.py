"""The words of health, and the facts that rules are written in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from decklog.model import objects


class Status(StrEnum):
    """How an object does.

    `progressing` is on its way; `degraded` failed or got stuck; `suspended` was paused on purpose; `unknown` could not
    be told.
    """

    HEALTHY = "healthy"
    PROGRESSING = "progressing"
    DEGRADED = "degraded"
    SUSPENDED = "suspended"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """A verdict: a stable word for the rule or condition that decided, and a sentence for people."""

    status: Status
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """One of an object's `status.conditions`; `status` is `True`, `False` or `Unknown`."""

    type: str
    status: str
    reason: str
    message: str


class Facts:
    """An object's spec and status, read without trusting their shape: what is absent or odd reads as empty."""

    def __init__(self, obj: objects.KubeObject, now: float) -> None:
        self.object = obj
        self.now = now
        self.spec: dict[str, Any] = _mapping(obj.get("spec"))
        self.status: dict[str, Any] = _mapping(obj.get("status"))
        self.metadata = objects.metadata(obj)

    def text(self, *path: str) -> str:
        """The text at a path from the object's root, or empty."""
        found = self.at(*path)
        return found if isinstance(found, str) else ""

    def number(self, *path: str, default: int = 0) -> int:
        """The whole number at a path from the object's root, or the default."""
        found = self.at(*path)
        return found if isinstance(found, int) and not isinstance(found, bool) else default

    def flag(self, *path: str) -> bool:
        """Whether the value at a path is `true`."""
        return self.at(*path) is True

    def items(self, *path: str) -> list[dict[str, Any]]:
        """The mappings of the list at a path, or none."""
        found = self.at(*path)
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    def at(self, *path: str) -> Any:
        """The value at a path from the object's root, or None."""
        value: Any = self.object
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def condition(self, kind: str) -> Condition | None:
        """The condition of a type, or None."""
        return next((one for one in conditions(self.items("status", "conditions")) if one.type == kind), None)

    def age(self) -> float:
        """Seconds since the object was created; infinite when that is not known."""
        try:
            created = datetime.fromisoformat(self.text("metadata", "creationTimestamp"))
        except ValueError:
            return float("inf")
        return self.now - created.timestamp() if created.tzinfo else float("inf")


Rule = Callable[[Facts], Health]


def conditions(raw: list[dict[str, Any]]) -> tuple[Condition, ...]:
    """Conditions as their list has them, texts stripped of blanks."""
    return tuple(
        Condition(*(str(one.get(name) or "").strip() for name in ("type", "status", "reason", "message")))
        for one in raw
    )


def healthy(message: str = "", reason: str = "Healthy") -> Health:
    """It does what it should."""
    return Health(Status.HEALTHY, reason, message)


def progressing(reason: str, message: str) -> Health:
    """It is on its way."""
    return Health(Status.PROGRESSING, reason, message)


def degraded(reason: str, message: str) -> Health:
    """It failed or got stuck."""
    return Health(Status.DEGRADED, reason, message)


def suspended(reason: str, message: str) -> Health:
    """It was paused on purpose."""
    return Health(Status.SUSPENDED, reason, message)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
