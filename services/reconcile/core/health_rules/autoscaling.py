"""HorizontalPodAutoscaler: it reads its metrics and may scale its target.

Version 1 keeps its conditions in an annotation, as JSON.
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
"""

from collections.abc import Mapping
from typing import Any

import orjson

from decklog.model import objects
from services.reconcile.core.health_rules import verdict
from services.reconcile.core.health_rules.verdict import Facts, Health, Rule, degraded, healthy, progressing

_CONDITIONS_V1 = "autoscaling.alpha.kubernetes.io/conditions"


def autoscaler(facts: Facts) -> Health:
    """Degraded when a condition tells that scaling failed; on its way until one tells that it works."""
    known = _conditions(facts)
    for one in known:
        if one.reason.startswith("Failed") or one.reason == "InvalidSelector":
            return degraded(one.reason, one.message)
    working = any(one.status == "True" and one.type in ("AbleToScale", "ScalingLimited") for one in known)
    if working:
        return healthy("it scales its target", "AbleToScale")
    return progressing("WaitingToScale", "it has not scaled its target yet")


def _conditions(facts: Facts) -> tuple[verdict.Condition, ...]:
    return verdict.conditions(facts.items("status", "conditions") or _from_annotation(facts))


def _from_annotation(facts: Facts) -> list[dict[str, Any]]:
    text = objects.annotations(facts.object).get(_CONDITIONS_V1, "[]")
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return []  # somebody else's text: it tells nothing, and the autoscaler counts as on its way
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


RULES: Mapping[tuple[str, str], Rule] = {("autoscaling", "HorizontalPodAutoscaler"): autoscaler}
