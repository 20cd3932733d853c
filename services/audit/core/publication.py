"""Publishing: when a checkpoint may be signed, and when it must not be. A log never forks, whatever was restored."""

from dataclasses import dataclass
from typing import NamedTuple

from decklog.model.tlog import asking, checkpoint


class Problem(NamedTuple):
    """Why nothing may be signed, and the way out."""

    text: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known before anything is signed.

    `size` is that of the database's tree. `stored` is the newest checkpoint in the database, `served` the one in the
    log's folder; `at_served` is what the database has stored for the size of the latter.
    """

    size: int
    stored: checkpoint.Checkpoint | None
    served: checkpoint.Checkpoint | None
    at_served: checkpoint.Checkpoint | None


def origin(domain: str, installation: str) -> str:
    """The name of an installation's log, for ever."""
    return f"{domain}/{installation}"


def problem(standing: Standing) -> Problem | None:
    """What forbids to go on sequencing and signing; None if nothing does."""
    stored, served = standing.stored, standing.served
    published = max(one.size if one else 0 for one in (stored, served))
    if standing.size < published:
        return _behind(standing.size, published)
    if served is None:
        return None
    if stored is None or stored.size < served.size:
        text = f"a checkpoint of {served.size} leaves was published, the newest the database knows has "
        return Problem(text + f"{stored.size if stored else 0}: the database was restored from a backup", _RESTORE)
    if standing.at_served != served:
        text = (
            f"the checkpoint of {served.size} leaves that is served is not the one in the database: the log was forked"
        )
        return Problem(text, "Keep both, stop here and find out who signed the other one; nothing more is signed")
    return None


def origin_problem(stored: checkpoint.Checkpoint | None, name: str) -> Problem | None:
    """Whether checkpoints of another log stand in the way: a log's name is for ever."""
    if stored is None or stored.origin == name:
        return None
    text = f"this database holds the log {stored.origin!r}, the settings name {name!r}"
    return Problem(text, "Set DECKLOG_LOG_ORIGIN back to the domain before the last slash of the first name")


def disputed(witness: str, said: asking.Ahead | asking.Disputed, *, asked: int, newest: int) -> Problem | None:
    """What it means that a witness has seen another history of the log; None if it has only seen more than was asked.

    `asked` is the size of the checkpoint that it was asked about, `newest` that of the newest that was signed here.
    """
    if isinstance(said, asking.Disputed):
        text = (
            f"the witness {witness!r} has seen another history: it refuses the checkpoint of {asked} leaves as no "
            f"continuation of what it cosigned ({said.said})"
        )
        return Problem(text, _FORKED)
    if said.size <= newest:
        return None
    text = (
        f"the witness {witness!r} has cosigned {said.size} leaves of this log, the newest checkpoint here has "
        f"{newest}: database and folder were restored from a backup, or somebody else signs in its name"
    )
    return Problem(text, _RESTORE_BOTH)


def stamp_is_due(served: int, stamped: int, seconds_ago: float | None, interval: float) -> bool:
    """Whether the served checkpoint is to be stamped: it has leaves that no stamp covers, and the last is old enough.

    `seconds_ago` is None where there is no time stamp, or none that is believed.
    """
    return served > stamped and (seconds_ago is None or seconds_ago >= interval)


def _behind(size: int, published: int) -> Problem:
    text = f"the database has {size} leaves, but a checkpoint of {published} was published: it is older than that"
    return Problem(text, _RESTORE)


_FORKED = (
    "Stop here and keep everything: database, log folder, and what the witness shows. Find out which of the two "
    "histories is the true one and who signed the other; nothing more is signed"
)
_RESTORE_BOTH = (
    "Restore a newer backup of both. If only the folder can be had as it was, stop audit and run `decklog admin ledger "
    "recover`. If nothing was restored, find out who signs; nothing is sequenced and nothing is signed until then"
)
_RESTORE = (
    "Restore a newer backup of the database: until it knows the published checkpoint nothing is sequenced and nothing "
    "is signed, since both would fork the log. Or stop audit and run `decklog admin ledger recover`: the missing "
    "entries are kept in the folder that DECKLOG_LOG_DIR names"
)
