"""Promise 2, where it is decided: what could not be looked at never becomes "in sync", and nothing is built on it."""

from decklog.events.v1 import drift_pb2
from decklog.model import masking, objects
from services.reconcile.core import compare, desired, drift, inventory, sync, verdicts
from tests.promises import storms
from tests.simulation import history, run, schedule
from tests.simulation.promises import unknown_is_not_in_sync

MASK = masking.Masking(masking.MaskingKey(bytes(32)))
KEY = objects.ObjectKey("", "ConfigMap", "shop", "web")
BODY: objects.KubeObject = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"namespace": "shop", "name": "web", "uid": "u", "resourceVersion": "7"},
}
WANTED = desired.DesiredObject(
    key=KEY, gvk=objects.Gvk("", "v1", "ConfigMap"), body=BODY, digest="j1:ab", file="web.yaml", line=1, wave=0
)
BLIND = compare.unknown(KEY, reason="Unavailable", error="the API server did not answer", wanted=WANTED, live=BODY)


def test_not_having_looked_resolves_nothing() -> None:
    """An open episode survives an unknown verdict, and the verdict is told with its reason."""
    opened = drift.observe("dev/shop", None, compare.missing(WANTED))
    assert opened is not None
    told = drift.observe("dev/shop", opened.episode, BLIND)
    assert told is not None, "an unknown verdict was not told"
    assert told.phase is drift.Phase.CHANGED, "an unknown verdict resolved an episode"
    assert told.comparison.reason == "Unavailable"


def test_not_having_looked_is_told_by_itself() -> None:
    """Where nothing was wrong before, it opens an episode of its own kind that does not count as drift."""
    told = drift.observe("dev/shop", None, BLIND)
    assert told is not None, "an unknown verdict passed in silence"
    assert (told.phase, told.comparison.verdict) == (drift.Phase.OPENED, compare.Verdict.UNKNOWN)
    assert told.episode is not None
    assert not told.episode.drifted


def test_a_sync_does_not_begin_on_an_unknown_verdict() -> None:
    """One object that could not be judged ends the sync before its first write."""
    planned = sync.plan({KEY: WANTED}, {KEY: BLIND}, waiting=(), extra=inventory.Extra((), {}))
    assert isinstance(planned, sync.Refused), "a sync was planned on an unknown verdict"


def test_an_unknown_verdict_is_asked_again() -> None:
    """The cache keeps no verdict that nobody gave."""
    known = verdicts.keep({}, [(verdicts.basis(WANTED, BODY), BLIND)])
    assert verdicts.recall(known, WANTED, BODY) is None, "an unknown verdict was kept"


def test_a_refused_dry_run_is_not_in_sync() -> None:
    """Somebody changes an object by hand, and the API server refuses every look at what would put it right."""
    plan = storms.storm((5.0, schedule.Refuse("shop", "web", 30.0)), (6.0, schedule.Edit("shop", "web", "blue")))
    assert storms.violations(plan, unknown_is_not_in_sync.PROMISE) == []
    assert _told_as_unknown(plan) == {"shop-web"}, "a refused look was not told as unknown"


def test_a_lost_watch_is_not_in_sync() -> None:
    """The API server is away for longer than a watch may be blind: every object is told as unknown."""
    plan = storms.storm((5.0, schedule.Outage("kubernetes", 60.0)))
    assert storms.violations(plan, unknown_is_not_in_sync.PROMISE) == []
    assert _told_as_unknown(plan) == {"shop-web", "shop-cache"}, "a lost watch was not told as unknown"


def _told_as_unknown(plan: schedule.Plan) -> set[str]:
    """The objects of which an unknown verdict was told."""
    told = (entry.message for _, entry in history.stored(run.run(0, plan).entries))
    seen = [one for one in told if isinstance(one, drift_pb2.DriftObserved)]
    return {one.object.name for one in seen if one.verdict == drift_pb2.VERDICT_UNKNOWN}
