"""Which cluster a name stands for: the uid of its `kube-system` namespace, and whether somebody confirmed it."""

from decklog.model import errors, fleet


class Unconfirmed(errors.Refused):
    """The name points at another cluster than the confirmed one: nothing is compared with it and nothing written."""


def check(name: str, uid: str, known: fleet.Identity | None) -> None:
    """Raise `Unconfirmed` unless the cluster of that name may be acted upon.

    Args:
        name: of the cluster.
        uid: what it answered to the question who it is.
        known: what is recorded of the name. Raises `Transient` while this uid is not recorded yet.
    """
    if known is None or known.seen != uid:
        raise errors.Transient("its identity is being recorded", where=f"cluster {name}")
    if not known.trusted:
        raise Unconfirmed(
            f"it is now {uid}, not {known.confirmed} as confirmed; nothing is compared or written",
            where=f"cluster {name}",
            hint=f"If that is meant: decklog cluster confirm {name} --uid {uid}; if it is not, correct its context",
        )
