"""Health against what kstatus and Argo CD say of the same objects.

Where the two disagree by design we speak Argo CD's words and follow kstatus for what is settled. The disagreements are
written down below by rule; an object that disagrees without one of them is a defect.
"""

import datetime as dt

import pytest

from decklog.model import source_text, yaml_text
from services.reconcile.core import health
from services.reconcile.core.health_rules import verdict
from tests import vectors

NOW = dt.datetime(2026, 11, 23, 6, tzinfo=dt.UTC)
KSTATUS = {"Current": "healthy", "InProgress": "progressing", "Failed": "degraded", "Terminating": "progressing"}


def failed_pod(facts):
    """kstatus: a pod that ended is settled, however it ended. Argo CD: it failed."""
    return facts.object["kind"] == "Pod" and facts.text("status", "phase") == "Failed"


def running_job(facts):
    """kstatus: a Job is settled once it runs. Argo CD: it is on its way until it ended."""
    return facts.object["kind"] == "Job" and facts.number("status", "active") > 0


def suspended_job(facts):
    """Kstatus has no word for suspended and calls it settled."""
    return facts.object["kind"] == "Job" and facts.flag("spec", "suspend")


def balancer_by_cluster_ip(facts):
    """Kstatus takes a cluster IP for a load balancer's address. Argo CD waits for the address it asked for."""
    return facts.text("spec", "type") == "LoadBalancer" and bool(facts.text("spec", "clusterIP"))


def argo_annotation(facts):
    """Argo CD has an annotation of its own that makes it take a running task for healthy."""
    return facts.at("metadata", "annotations", "argocd.argoproj.io/ignore-restart-policy") == "true"


def crashing_task(facts):
    """Argo CD looks for crash loops only in pods that always restart. kstatus: a crash loop is a failure anywhere."""
    return facts.object["kind"] == "Pod" and facts.text("spec", "restartPolicy") == "OnFailure"


def other_products(facts):
    """Kinds of other products have no rule here yet: they are judged by their conditions."""
    return facts.object["apiVersion"].startswith("argoproj.io/")


DISAGREEMENTS = {
    "kstatus": (failed_pod, running_job, suspended_job, balancer_by_cluster_ip),
    "argo-health-go": (argo_annotation, crashing_task, other_products),
}


def read(vector):
    text = vectors.health_file(vector["file"]).replace("__NOW__", NOW.isoformat())
    documents, _ = yaml_text.read(text, vector["file"], source_text.Limits())
    return verdict.Facts(documents[0].value, NOW.timestamp())


def assess(vector):
    return health.assess(read(vector).object, now=NOW.timestamp())


def expected(vector):
    status = vector["expected_status"]
    return KSTATUS.get(status, "healthy" if status is None else status.lower())


def excuses(vector):
    """The written disagreements that a vector needs: none where the verdicts are the same."""
    if assess(vector).status.value == expected(vector):
        return []
    return [rule for rule in DISAGREEMENTS[vector["suite"]] if rule(read(vector))]


@pytest.mark.parametrize("vector", [*vectors.health("kstatus"), *vectors.health("argo-health-go")])
def test_built_in_kinds_agree_with_both_except_by_rule(vector):
    """The same verdict, or one of the written disagreements."""
    assert assess(vector).status.value == expected(vector) or excuses(vector)


@pytest.mark.parametrize("suite", DISAGREEMENTS)
def test_every_written_disagreement_is_one(suite):
    """An excuse that nothing needs any more is removed."""
    found = [parameter.values[0] for parameter in vectors.health(suite)]
    if found == [None]:
        pytest.skip("no third-party vectors")
    assert {rule for vector in found for rule in excuses(vector)} == set(DISAGREEMENTS[suite])


@pytest.mark.parametrize("vector", vectors.health("kstatus"))
def test_reasons_are_those_of_kstatus(vector):
    """Where a condition is expected and the verdicts agree, its reason is ours."""
    reasons = {one["reason"] for one in vector["expected_conditions"] if one.get("reason")}
    found = assess(vector)
    if reasons and found.status.value == expected(vector):
        assert found.reason in reasons


@pytest.mark.parametrize("vector", vectors.health("argo-health-lua"))
def test_no_object_of_any_product_makes_a_rule_raise(vector):
    """Those kinds have no rules here; each still gets a verdict."""
    assert assess(vector).reason
