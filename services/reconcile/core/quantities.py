"""Quantities and durations in custom resources that mean the same and are written differently.

The API server writes quantities of its own kinds in one canonical form; in a custom resource they are text, and a
controller or webhook that parses and writes them back makes `1000m` of `1`, or `60s` of `1m`. Only fields whose names
tell that they hold such a value are compared by value, since `1.10` and `1.1` are one quantity and two versions.
https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/#known-kubernetes-types-in-crds-resource-limits-volume-mounts-etc
"""

import re
from decimal import Decimal
from typing import Any

from decklog.model import objects

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{letter: Decimal(10) ** (3 * power) for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?")
_DURATION = re.compile(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "μs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_HOLDS_QUANTITIES = frozenset({"requests", "limits", "capacity", "resources", "hard"})
_IS_QUANTITY = re.compile(r"(?:^|[a-z])(?:cpu|memory|storage|size|capacity)$", re.IGNORECASE)
_IS_DURATION = re.compile(r"(?:interval|timeout|duration|period|ttl|delay|age|window)$", re.IGNORECASE)
_LONGEST = 40


def align(live: objects.KubeObject, wanted: objects.KubeObject) -> objects.KubeObject:
    """What is wanted, with the live spelling wherever both mean the same quantity or duration.

    Objects of the API server's own kinds are returned as they are: it has written both sides in one form.
    """
    group = objects.gvk(wanted).group
    if "." not in group or group.endswith(".k8s.io"):
        return wanted
    aligned: objects.KubeObject = _aligned("", "", live, wanted)
    return aligned


def quantity(text: str) -> Decimal | None:
    """The number that a Kubernetes quantity stands for, or None when it is no quantity."""
    found = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    number, suffix, exponent = found.groups()
    return Decimal(number) * (Decimal(10) ** int(exponent) if exponent else _SUFFIXES[suffix or ""])


def duration(text: str) -> Decimal | None:
    """The seconds that a Go duration stands for, or None when it is no duration."""
    found = _DURATION.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    seconds = sum((Decimal(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(found[2])), Decimal(0))
    return -seconds if found[1] == "-" else seconds


def _aligned(above: str, name: str, live: Any, wanted: Any) -> Any:
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {key: _aligned(name, key, live[key], value) if key in live else value for key, value in wanted.items()}
    if isinstance(live, list) and isinstance(wanted, list) and len(live) == len(wanted):
        return [_aligned(above, name, one, other) for one, other in zip(live, wanted, strict=True)]
    return live if _same(above, name, live, wanted) else wanted


def _same(above: str, name: str, live: Any, wanted: Any) -> bool:
    scalars = (str, int, float)
    if type(live) not in scalars or type(wanted) not in scalars:
        return False
    if above in _HOLDS_QUANTITIES or _IS_QUANTITY.search(name):
        value = quantity(str(live))
        return value is not None and value == quantity(str(wanted))
    if _IS_DURATION.search(name):
        value = duration(str(live))
        return value is not None and value == duration(str(wanted))
    return False
