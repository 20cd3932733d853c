"""Confirming a cluster's new identity: what is asked, against what is declared and seen."""

import pytest

from decklog.events.v1 import fleet_pb2, subject_pb2
from decklog.model import fleet
from services.audit.core import confirming, declaring
from tests import audit_process

BY = declaring.Author(actor="alice", reason="replaced last night", request_id="r1")
DECLARED = fleet.fold(fleet.Fleet(), audit_process.cluster())


def seen(*uids: str) -> fleet.Fleet:
    """The cluster `dev` with the identities that it was seen to have, one after another."""
    now, before = DECLARED, ""
    for uid in uids:
        now = fleet.fold(now, fleet_pb2.ClusterIdentityChanged(cluster="dev", before=before, after=uid))
        before = uid
    return now


@pytest.mark.parametrize("uid", ["", "u2"])
def test_the_identity_that_the_name_has_now_is_confirmed(uid: str) -> None:
    """Named or not; under the name of who asked, with the reason; after that the name is trusted."""
    said = confirming.confirm(seen("u1", "u2"), "dev", uid, BY)
    assert (said.cluster, said.uid, said.reason) == ("dev", "u2", "replaced last night")
    assert said.actor == subject_pb2.Actor(id="alice", kind=subject_pb2.ACTOR_KIND_PRINCIPAL)
    assert fleet.fold(seen("u1", "u2"), said).identities["dev"].trusted


@pytest.mark.parametrize(
    ("now", "name", "uid", "status", "reason"),
    [
        (seen("u1", "u2"), "prod", "", 404, "NotFound"),
        (DECLARED, "dev", "", 409, "NeverSeen"),
        (seen("u1", "u2"), "dev", "u1", 409, "AnotherIdentity"),
        (seen("u1"), "dev", "", 409, "AlreadyConfirmed"),
        (seen("u1", "u2", "u1"), "dev", "u2", 409, "AnotherIdentity"),
    ],
)
def test_what_cannot_be_confirmed_is_refused_with_the_way_out(
    now: fleet.Fleet, name: str, uid: str, status: int, reason: str
) -> None:
    """The uid that was looked at must still be the one: a name may point elsewhere again meanwhile."""
    with pytest.raises(declaring.Refusal) as caught:
        confirming.confirm(now, name, uid, BY)
    assert (caught.value.status, caught.value.reason) == (status, reason)
    assert caught.value.hint
