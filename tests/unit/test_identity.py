"""A name that points at another cluster than the confirmed one is left alone, and the message says what to do."""

import pytest

from decklog.model import errors, fleet
from services.reconcile.core import complaints, identity


def test_the_confirmed_cluster_may_be_acted_upon() -> None:
    """The first sight confirmed itself, or somebody did."""
    identity.check("dev", "u1", fleet.Identity(confirmed="u1", seen="u1"))


@pytest.mark.parametrize("known", [None, fleet.Identity(confirmed="u0", seen="u0")])
def test_what_is_not_recorded_yet_waits(known: fleet.Identity | None) -> None:
    """Record before act: who the cluster is stands in the log first."""
    with pytest.raises(errors.Transient):
        identity.check("dev", "u1", known)


def test_another_cluster_is_refused_with_the_command_that_confirms_it() -> None:
    """Both uids, and both ways out: it was meant, or it was not."""
    with pytest.raises(identity.Unconfirmed) as caught:
        identity.check("dev", "u1", fleet.Identity(confirmed="u0", seen="u1"))
    failure = complaints.about_cluster(caught.value, "dev")
    assert (failure.reason, failure.transient) == ("ClusterUnconfirmed", False)
    assert "u1" in failure.message
    assert "u0" in failure.message
    assert "decklog cluster confirm dev --uid u1" in failure.hint
    assert "correct its context" in failure.hint
