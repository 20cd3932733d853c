"""The services' last words: whoever was silent for long may be down."""

import functools
from collections.abc import Iterable, Iterator

from services.audit.core import rows
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.view import AnyNeed, Need, View


def needs(leaf: Leaf) -> Iterable[AnyNeed]:
    """The row of the service that speaks."""
    service = _service(leaf)
    return [Need(rows.Speaker, (service,))] if service else []


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:
    """Count the event, and keep the newest time said; a clock that runs ahead must not hide a silence."""
    service = _service(leaf)
    if service:
        known = view.get(rows.Speaker, service)
        said = min(leaf.time_us, leaf.recorded_us)
        yield rows.Speaker(
            service=service,
            events=(known.events if known else 0) + 1,
            last_leaf=leaf.index,
            last_us=max(said, known.last_us if known else said),
        )


def _service(leaf: Leaf) -> str:
    return _service_of(leaf.source) if leaf.kind == "event" else ""


@functools.lru_cache(maxsize=1_024)
def _service_of(source: str) -> str:
    """`reconcile` of `/decklog/<installation>/reconcile/<cluster>`; empty for a source that is not of that form."""
    parts = source.split("/")
    return parts[3] if len(parts) >= 5 and parts[1] == "decklog" else ""


PROJECTION = Projection("speaker", needs, fold)
