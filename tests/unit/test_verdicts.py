"""The verdict cache."""

from services.reconcile.core import compare, verdicts
from tests import kube

(WANTED,) = kube.wanted(kube.config_map("c", a="1")).values()
LIVE = kube.tracked(kube.config_map("c", a="1"))
SETTLED = compare.Comparison(key=WANTED.key, verdict=compare.Verdict.IN_SYNC)
KNOWN = verdicts.keep({}, [(verdicts.basis(WANTED, LIVE), SETTLED)])


def test_a_verdict_holds_while_neither_side_moved():
    """A steady state asks nothing of the API server."""
    assert verdicts.recall(KNOWN, WANTED, LIVE).verdict is compare.Verdict.IN_SYNC


def test_it_no_longer_holds_when_anything_moved():
    """Version, incarnation, what is wanted, or the rules."""
    (other,) = kube.wanted(kube.config_map("c", a="2")).values()
    assert verdicts.recall(KNOWN, other, LIVE) is None
    assert verdicts.recall(KNOWN, WANTED, kube.with_metadata(LIVE, resourceVersion="8")) is None
    assert verdicts.recall(KNOWN, WANTED, kube.with_metadata(LIVE, uid="u-2")) is None
    assert verdicts.recall(KNOWN, WANTED, LIVE, "other rules") is None


def test_unknown_is_never_kept():
    """It is asked again."""
    lost = compare.unknown(WANTED.key, reason="x", error="y")
    assert verdicts.keep({}, [(verdicts.basis(WANTED, LIVE), lost)]) == {}
