"""Confirming that a cluster's new identity is meant: from what is declared and seen to the event, or a refusal."""

from decklog.events.v1 import fleet_pb2
from decklog.model import fleet
from services.audit.core import declaring


def confirm(now: fleet.Fleet, name: str, uid: str, by: declaring.Author) -> fleet_pb2.ClusterIdentityConfirmed:
    """Confirm that the cluster that the name points at now is meant. Raises Refusal.

    `uid`: of its `kube-system` namespace, as whoever confirms has seen it; empty for whichever the name points at.
    """
    if now.cluster(name) is None:
        raise declaring.Refusal(
            404, "NotFound", f"there is no cluster {name!r}", "List what there is, or check the name"
        )
    known = now.identities.get(name)
    if known is None:
        raise declaring.Refusal(
            409,
            "NeverSeen",
            f"cluster {name} was never reached, so there is nothing to confirm",
            "Deliver an application to it: the first sight confirms itself",
        )
    if uid and uid != known.seen:
        raise declaring.Refusal(
            409,
            "AnotherIdentity",
            f"cluster {name} is {known.seen} now, not {uid}",
            f"Make sure which one is meant, then: decklog cluster confirm {name} --uid {known.seen}",
        )
    if known.trusted:
        raise declaring.Refusal(
            409, "AlreadyConfirmed", f"cluster {name} is {known.seen}, as confirmed", "There is nothing to do"
        )
    return fleet_pb2.ClusterIdentityConfirmed(cluster=name, uid=known.seen, actor=by.principal, reason=by.reason)
