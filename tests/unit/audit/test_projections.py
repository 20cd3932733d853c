"""What a projection is shown: exactly the messages that mean something to it."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from decklog.model import events
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.projections import registry
from services.audit.core.view import Unplaceable, View
from tests import audit_leaves as some

CHOOSY = [one for one in registry.ALL if one.messages is not None]
HIDDEN = [
    pytest.param(one, kind.message, id=f"{one.name}-{kind.message.DESCRIPTOR.name}")
    for one in CHOOSY
    for kind in events.KINDS
    if kind.message not in (one.messages or ())
]


def filled(message: Message, depth: int = 4) -> Message:
    """The message with every field set to something, as far as nested."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            inner = getattr(message, field.name)
            if depth:
                filled(inner.add() if field.is_repeated else inner, depth - 1)
                if not field.is_repeated:
                    inner.SetInParent()
        elif not field.is_repeated:
            setattr(message, field.name, _something(field))
    return message


def _something(field: FieldDescriptor) -> object:
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    return {FieldDescriptor.TYPE_STRING: "7", FieldDescriptor.TYPE_BYTES: b"[]"}.get(field.type, 1)


def leaves_of(message: type[Message]) -> Iterator[Leaf]:
    """Such a message with everything said, and with nothing said."""
    yield some.leaf(0, filled(message()))
    yield some.leaf(0, message())


@pytest.mark.parametrize(("projection", "message"), HIDDEN)
def test_what_a_projection_is_not_shown_means_nothing_to_it(projection: Projection, message: type[Message]) -> None:
    """Whoever teaches a projection another message has to name it, or its leaves would silently be left out."""
    for leaf in leaves_of(message):
        assert list(projection.needs(leaf)) == []
        assert list(projection.fold(View(), leaf)) == []


@pytest.mark.parametrize("projection", CHOOSY, ids=lambda one: one.name)
def test_what_a_projection_is_shown_means_something_to_it(projection: Projection) -> None:
    """No message is named in vain: each has an effect, or needs a row, or is refused."""
    for message in projection.messages or ():
        assert any(_means_something(projection, leaf) for leaf in leaves_of(message)), message


def _means_something(projection: Projection, leaf: Leaf) -> bool:
    try:
        return bool([*projection.needs(leaf), *projection.fold(View(), leaf)])
    except Unplaceable:
        return True
