"""Who is named beside a line of the timeline, and as what."""

import pytest

from decklog.events.v1 import drift_pb2, subject_pb2
from services.audit.core import rows
from services.audit.core.leaf import Leaf
from services.audit.core.projections import timeline
from services.audit.page import wording
from tests import audit_leaves as given

SECOND = 1_000_000


def manager(name: str, seconds: int, subresource: str = "") -> subject_pb2.FieldManager:
    return subject_pb2.FieldManager(manager=name, time_us=seconds * SECOND, subresource=subresource)


CASES = {
    "one": ([manager("kubectl-scale", 7), manager("decklog", 5)], "kubectl-scale"),
    "a tie": ([manager("kubectl-edit", 7), manager("a-controller", 7), manager("x", 6)], "a-controller, kubectl-edit"),
    "a status": ([manager("kube-controller-manager", 9, "status"), manager("kubectl-edit", 7)], "kubectl-edit"),
    "a status alone": ([manager("kube-controller-manager", 9, "status")], "kube-controller-manager"),
    "a scale, of which no time is kept": ([manager("decklog", 7), manager("kubectl", 0, "scale")], "decklog, kubectl"),
    "nobody": ([], ""),
}


@pytest.mark.parametrize("case", CASES)
def test_all_that_may_have_been_the_last_are_named(case: str) -> None:
    """Who of them came last cannot be known, nor whether any of them did what is told."""
    managers, named = CASES[case]
    seen, drifted = given.changed(5), given.drift(drift_pb2.DRIFT_PHASE_OPENED)
    for message in (seen, drifted):
        del message.managers[:]
        message.managers.extend(managers)
    lines = given.Tables().fold(given.leaf(0, seen), given.leaf(1, drifted)).all(rows.Moment)
    assert [(line.kind in timeline.SEEN, line.actor) for line in lines] == [(True, named)] * 2


def test_the_page_calls_them_last_field_managers_and_an_actor_who_did_it() -> None:
    assert wording.by("ObjectChanged", "kubectl-edit") == "last field manager: kubectl-edit"
    assert wording.by("DriftObserved", "a, b") == "last field managers: a, b"
    assert wording.by("SyncRequested", "alice") == "by alice"
    assert wording.by("ObjectChanged", "") == wording.by("WatchGap", "") == ""


@pytest.mark.parametrize(
    ("kind", "about", "said"),
    [
        ("poison", {"reason": "no key"}, "A record of t.git.v1/3 is no event: no key"),
        ("gap", {"from": 5, "to": 9, "reason": "retention"}, "Records of t.git.v1/3 from 5 on will never be read: ret"),
        ("rotation", {"vkey": "log+1+a"}, "The log is signed with log+1+a alone from here on"),
        ("rotation", {"vkey": "log+1+a", "beside": "log+2+b"}, "The log is signed with log+1+a from here on, beside l"),
        ("conflict", {"leaf": 2}, "The same event came again with other bytes; leaf 2 is the first"),
    ],
)
def test_trouble_names_its_partition_and_the_time_at_which_it_was_recorded(
    kind: str, about: dict[str, object], said: str
) -> None:
    """A record that is made up says of itself when it happened: it would stand in no hour that anybody looks at."""
    one = Leaf(index=0, recorded_us=7 * SECOND, kind=kind, about=about, time_us=SECOND, log="t.git.v1/3", offset=5)
    (line,) = given.Tables().fold(one).all(rows.Moment)
    assert (line.time_us, line.summary.startswith(said)) == (7 * SECOND, True), line.summary
