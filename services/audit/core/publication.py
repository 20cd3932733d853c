"""Publishing: when a checkpoint may be signed, and when it must not be. A log never forks, whatever was restored."""

from collections.abc import Mapping
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
    if stored is not None and served is not None and stored.origin != served.origin:
        text = f"the database holds the log {stored.origin!r}, its folder is that of {served.origin!r}"
        return Problem(text, _OTHER_FOLDER)
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
    return Problem(
        text, "Set DECKLOG_LOG_ORIGIN back to the domain before the last slash of the first name, and restart audit"
    )


Said = asking.Ahead | asking.Disputed
"""What a witness answers that has seen another history of the log, or says so: an answer is not signed."""


def claim(said: Said, *, asked: int) -> str:
    """In words, what a witness says of the checkpoint of `asked` leaves."""
    if isinstance(said, asking.Ahead):
        return f"it says that it cosigned {said.size} leaves of this log, and was shown {asked}"
    return f"it refuses the checkpoint of {asked} leaves as no continuation of what it cosigned ({said.said})"


def proved(
    witness: str, shown: checkpoint.Checkpoint, *, newest: checkpoint.Checkpoint, root: bytes | None
) -> Problem | None:
    """What it means that a witness shows a checkpoint which a key of this log has signed; None if it is one of ours.

    `newest` is the newest that was signed here, `root` that of this log at the size that is shown, None where there are
    fewer leaves.
    """
    if shown.size > newest.size:
        text = (
            f"the witness {witness!r} shows a checkpoint of {shown.size} leaves with the signature of this log, the "
            f"newest one here has {newest.size}: database and folder were restored from a backup, or somebody else "
            "signs in its name"
        )
        return Problem(text, _RESTORE_BOTH)
    if shown.root != root:
        text = (
            f"the witness {witness!r} has seen another history: it shows a checkpoint of {shown.size} leaves with the "
            "signature of this log, and the leaves here have another root"
        )
        return Problem(text, _FORKED)
    return None


def unmet(claims: Mapping[str, str]) -> Problem:
    """What it means that without the witnesses that say, unsigned, something against this log there is no quorum."""
    said = "; ".join(f"{witness!r}: {text}" for witness, text in claims.items())
    return Problem(f"witnesses of the quorum speak of another history of this log: {said}", _UNMET)


def stamp_is_due(served: int, stamped: int, seconds_ago: float | None, interval: float) -> bool:
    """Whether the served checkpoint is to be stamped: it has leaves that no stamp covers, and the last is old enough.

    `seconds_ago` is None where there is no time stamp, or none that is believed.
    """
    return served > stamped and (seconds_ago is None or seconds_ago >= interval)


def _behind(size: int, published: int) -> Problem:
    text = f"the database has {size} leaves, but a checkpoint of {published} was published: it is older than that"
    return Problem(text, _RESTORE)


_OTHER_FOLDER = (
    "Name the folder of this log in DECKLOG_LOG_DIR, and the database of this installation, and restart audit; nothing "
    "is sequenced or signed before"
)
_FORKED = (
    "Stop here and keep everything: database, log folder, and what the witness shows. Find out which of the two "
    "histories is the true one and who signed the other; nothing more is signed"
)
_UNMET = (
    "Nobody signed that, so it may be wrong; but without them no checkpoint gets its quorum. Ask who runs the witness "
    "for the checkpoint that it cosigned. If this log signed it, restore what is missing (docs/ledger.md, When it "
    "refuses); if not, take the witness out of the quorum in DECKLOG_LOG_POLICY and restart audit. They are asked "
    "again; until they cosign nothing is signed, and after a start nothing is sequenced"
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
