"""Where the built-in kinds keep their pod specification."""

from collections.abc import Callable
from typing import Any

from decklog.model import objects

_PLACES: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): ("spec", "template", "spec"),
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("apps", "DaemonSet"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}


def change(obj: objects.KubeObject, how: Callable[[dict[str, Any]], dict[str, Any]]) -> objects.KubeObject:
    """A copy of the object with its pod specification changed; the object itself when it has none."""
    kind = objects.gvk(obj)
    place = _PLACES.get((kind.group, kind.kind))
    return obj if place is None else _changed(obj, place, how)


def _changed(
    value: dict[str, Any], place: tuple[str, ...], how: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    if not place:
        return how(value)
    inner = value.get(place[0])
    return {**value, place[0]: _changed(inner, place[1:], how)} if isinstance(inner, dict) else value
