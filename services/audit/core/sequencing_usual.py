"""Records that are as usual: examined in C, by what Python found of the first of their kind.

Most records differ from one before in a few values only. Of each shape of headers that Python has judged a stencil is
made, which C lays over the next ones of the same length; whatever does not fit, or holds something unusual, comes back
to Python. What is remembered is bounded; when it is full all of it is forgotten, and learned again.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from decklog import native
from decklog.model import envelope, header_shapes
from decklog.native import typed
from decklog.ports import stream
from services.audit.core import sequencing_senders

_MAX_BYTES: Final = 8 << 20
_MAX_OF_LENGTH: Final = 16
_MAX_PLACES: Final = 16_384
_ROLES: Final = {name: role for role, name in enumerate(envelope.DIFFERING[:-1], start=1)}
"""What C knows the headers by that it checks; the last one, the hop, it takes as it is."""

T = TypeVar("T")
_Tried = tuple[tuple[bytes, ...], tuple[int, ...]]
_Template = header_shapes.Template[sequencing_senders.Sender]


class Usual:
    """What was learned of the records of each topic, by its full name."""

    def __init__(self) -> None:
        self._stencils: typed.Stencils = {}
        self._places: typed.Places = {}
        self._tried: dict[tuple[str, int], dict[_Tried, int]] = {}
        """What each stencil of a topic and length was made of, in their order, and what it costs."""
        self._bytes = 0
        self._keys = 0

    def examine_each(
        self, made: type[T], records: Sequence[stream.Record], latest: str, closer: Callable[[stream.Record], T]
    ) -> list[T]:
        """Each as examined: as a `made` where it is as usual, and its time no later than `latest`, else by `closer`."""
        if native.kernel is not None:
            return native.kernel.examine_each(made, records, self._stencils, self._places, latest, closer)
        return [closer(record) for record in records]

    def learn_place(self, topic: str, key: bytes, partition: int) -> None:
        """A record with this key belongs on that partition."""
        if self._keys >= _MAX_PLACES:
            self._places.clear()
            self._keys = 0
        places = self._places.setdefault(topic, {})
        self._keys += key not in places
        places[key] = partition

    def learn(self, topic: str, template: _Template, trial: typed.Trial) -> None:
        """Headers like these are an event's that may be said on the topic, if its value is what `trial` holds.

        Of each length those are remembered that were met last, as the reader of headers does with its templates.
        """
        tried = self._tried.setdefault((topic, template.size), {})
        key = (template.shared, template.lengths)
        if key in tried:
            return
        self._bytes += template.cost
        if self._bytes > _MAX_BYTES:
            self._stencils.clear()
            self._tried.clear()
            self._bytes = 0
            return
        tried[key] = template.cost
        stencils = self._stencils.setdefault(topic, {}).setdefault(template.size, [])
        stencils.append(_stencil(template, trial))
        if len(tried) > _MAX_OF_LENGTH:
            self._bytes -= tried.pop(next(iter(tried)))
            del stencils[0]


def _stencil(template: _Template, trial: typed.Trial) -> object:
    """None for headers that always need a closer look: one has a length that no usual one has."""
    form, frame, kept, _ = template.judged
    roles = tuple(_ROLES.get(name, 0) for name in form.names)
    with contextlib.suppress(ValueError):
        if native.kernel is not None:
            return native.kernel.Stencil(
                *(template.shared, template.lengths, roles, tuple(kept), frame, form.source, trial)
            )
    return None
