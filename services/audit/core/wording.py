"""How values of the wire contract are spelled in rows and answers: enums as lower-case words, messages as JSON."""

import base64
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from decklog.events.v1 import fleet_pb2, subject_pb2
from decklog.model import declaration, objects

JSON_FIELDS = frozenset({"body", "json", "patch"})
"""Fields of type `bytes` that hold JSON by contract."""


class NotJson(ValueError):
    """A field that must hold JSON does not."""


@functools.cache
def _words(enum: EnumDescriptor) -> dict[int, str]:
    prefix = "".join(f"_{letter}" if letter.isupper() else letter for letter in enum.name).lstrip("_").upper() + "_"
    return {value.number: value.name.removeprefix(prefix).lower() for value in enum.values}


def word(message: Message, field: str) -> str:
    """The word of an enum field: `VERDICT_IN_SYNC` → `in_sync`. Empty where it says nothing that we know."""
    number = getattr(message, field)
    if not number:
        return ""
    kind = type(message)
    words = _WORDS.get((kind, field))
    if words is None:
        enum = message.DESCRIPTOR.fields_by_name[field].enum_type
        assert enum is not None, field  # noqa: S101 (the caller names an enum)
        words = _WORDS[kind, field] = _words(enum)
    return words.get(number, "")


_WORDS: dict[tuple[type[Message], str], dict[int, str]] = {}
"""The words of each enum field that was asked for: descriptors are slow to ask."""


def object_key(reference: subject_pb2.ObjectRef) -> objects.ObjectKey:
    """The permanent name of a referenced object."""
    return objects.ObjectKey(reference.group, reference.kind, reference.namespace, reference.name)


def object_name(reference: subject_pb2.ObjectRef) -> str:
    """The text of that name, as `str(object_key(reference))` and without the detour: it is asked for in every fold."""
    return f"{reference.group}/{reference.kind}/{reference.namespace}/{reference.name}"


def failure(message: Message) -> dict[str, Any] | None:
    """The failure of a message that may carry one: reason, message, hint, and file, line and object where known."""
    if not message.HasField("failure"):
        return None
    said: subject_pb2.Failure = message.failure  # type: ignore[attr-defined]
    found: dict[str, Any] = {"reason": said.reason, "message": said.message, "hint": said.hint}
    if said.file:
        found |= {"file": said.file, "line": said.line}
    if said.HasField("object"):
        found["object"] = object_name(said.object)
    if said.refs:
        found["refs"] = list(said.refs)
    return found


def managers(found: Iterable[subject_pb2.FieldManager]) -> list[dict[str, Any]]:
    """Field managers as JSON, in the order they were given."""
    return [
        {
            "manager": one.manager,
            "operation": one.operation,
            "subresource": one.subresource,
            "time_us": one.time_us,
            "fields": list(one.fields),
        }
        for one in found
    ]


def origin(said: fleet_pb2.Origin) -> dict[str, Any]:
    """Where something was declared: `{"way": "git", "source", "commit", "file", "line"}` or `{"way": "api", …}`."""
    if said.WhichOneof("way") != "git":
        return {"way": "api", "request_id": said.api.request_id}
    git = said.git
    return {
        "way": "git",
        "source": git.revision.source,
        "ref": git.revision.ref,
        "commit": git.revision.commit,
        "file": git.file,
        "line": git.line,
    }


def spec(kind: str, name: str, said: declaration.Spec) -> dict[str, Any]:
    """A spec as people write it in a document."""
    found: dict[str, Any] = declaration.to_document(declaration.Declared(kind, name, said))["spec"]
    return found


def json_value(raw: bytes) -> Any:
    """The JSON of a field that must hold some; None if it is empty. Raises NotJson."""
    if not raw:
        return None
    try:
        return orjson.loads(raw)
    except ValueError as error:
        raise NotJson(f"a field that must hold JSON holds {len(raw)} bytes of something else") from error


def to_json(message: Message) -> dict[str, Any]:
    """A message as JSON for people: field names as in the contract, enums as words, embedded JSON unfolded."""
    return {field.name: _value(field, value, message) for field, value in message.ListFields()}


def _value(field: FieldDescriptor, value: Any, message: Message) -> Any:
    if field.is_repeated:
        return [_single(field, item) for item in _items(value)]
    return word(message, field.name) if field.enum_type is not None else _single(field, value)


def _items(value: Any) -> Sequence[Any]:
    return list(value)


def _single(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return to_json(value)
    if field.enum_type is not None:
        return _words(field.enum_type).get(value, value)
    if isinstance(value, bytes):
        return _bytes(field.name, value)
    return value


def _bytes(name: str, value: bytes) -> Any:
    """Embedded JSON as JSON; anything else as text where it is text (armoured signatures), else base64."""
    if name in JSON_FIELDS:
        try:
            return json_value(value)
        except NotJson:
            return base64.b64encode(value).decode()
    try:
        return value.decode("ascii")
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
