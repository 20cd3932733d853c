"""What an operator should hear of: leaves that tell of trouble with what came by Kafka."""

import functools
from collections.abc import Iterable, Iterator

from decklog.model import leaf_ranges, topics
from services.audit.core import rows
from services.audit.core import sequencing_examine as examination
from services.audit.core.folding import Projection
from services.audit.core.leaf import LATE, Leaf
from services.audit.core.view import AnyNeed, View

LATE_REASON = "said after its member had been replaced; it counts for nothing"
_DIGEST = "sha256:"


def needs(leaf: Leaf) -> Iterable[AnyNeed]:  # noqa: ARG001 (every projection has the same shape)
    """Nothing: each notice stands alone."""
    return []


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:  # noqa: ARG001
    """The notice, where there is something to say."""
    kind, reason = _said(leaf)
    if kind:
        name, partition = _log(leaf.log)
        yield rows.Notice(
            leaf=leaf.index,
            recorded_us=leaf.recorded_us,
            kind=kind,
            topic=name,
            partition=partition,
            record_offset=leaf.offset,
            source=leaf.source,
            event_id=leaf.event_id or None,
            original=(leaf.about or {}).get("leaf") if kind == "conflict" else None,
            reason=reason,
        )


_NOTHING = ("", "")


def _said(leaf: Leaf) -> tuple[str, str]:
    """(kind, reason) of the notice; both empty for a leaf that is as it must be."""
    about = leaf.about or {}
    match leaf.kind:
        case "event":
            return _odd(leaf)
        case "conflict":
            return "conflict", f"same id as leaf {about.get('leaf', '?')}, other bytes"
        case "poison":
            return "poison", str(about.get("reason", ""))
        case "gap" if not about:
            return "gap", "it does not say of which offsets"
        case "gap":
            return "gap", f"{leaf_ranges.offsets(about['from'], about['to'])}: {about.get('reason', '')}"
        case kind if kind == LATE:
            return "late", LATE_REASON
    return _NOTHING


def _odd(leaf: Leaf) -> tuple[str, str]:
    """What the sequencer found odd about an event, by its receipt; a key that stands as a digest tells nothing."""
    name, partition = _log(leaf.log)
    topic = _topic(name)
    if topic is not None and not leaf.key.startswith(_DIGEST):
        elsewhere = examination.misplaced(topic, leaf.key.encode(), partition)
        if elsewhere is not None:
            return "partition", elsewhere
    if leaf.time_us > leaf.recorded_us + examination.MAX_SKEW_US:
        return "clock", examination.AHEAD
    return _NOTHING


@functools.lru_cache(maxsize=1_024)
def _log(text: str) -> tuple[str, int]:
    """(topic, partition) of `topic/partition`; an empty topic where the leaf came by none."""
    name, _, partition = text.rpartition("/")
    return name, int(partition or -1)


@functools.lru_cache(maxsize=256)
def _topic(name: str) -> topics.Topic | None:
    """The topic of a full name, whatever its prefix; None for one that is not sequenced."""
    return next((one for one in topics.SEQUENCED if name.endswith(f".{one.label}.v1")), None)


PROJECTION = Projection("notice", needs, fold)
