"""Declarations as people write them: documents with `apiVersion: decklog.dev/v1` ↔ specs of the wire contract.

The same rules hold for a file of the fleet repository and for a call of the API, so both use this module.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from google.protobuf.message import Message

from decklog.events.v1 import fleet_pb2, subject_pb2
from decklog.model import naming
from decklog.model.masking import credentials

API_VERSION = "decklog.dev/v1"
DEFAULT_REF = "HEAD"
"""The remote's default branch, as `git ls-remote` lists it."""

type_of_spec = {
    "Source": fleet_pb2.SourceSpec,
    "Cluster": fleet_pb2.ClusterSpec,
    "Application": fleet_pb2.ApplicationSpec,
}

Spec = fleet_pb2.SourceSpec | fleet_pb2.ClusterSpec | fleet_pb2.ApplicationSpec


class Invalid(ValueError):
    """A declaration that cannot count. `failure` says what is wrong, where, and what to do next."""

    def __init__(self, failure: subject_pb2.Failure) -> None:
        super().__init__(f"{failure.message}. {failure.hint}" if failure.hint else failure.message)
        self.failure = failure


class _Wrong(ValueError):
    """A value that does not fit its field."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Declared:
    """A valid declaration."""

    kind: str
    name: str
    spec: Spec


@dataclass(frozen=True, slots=True)
class _Field:
    """How a key of `spec` is read, and the field of the message it fills."""

    attribute: str
    read: Callable[[Any], Any]
    required: bool = False


_REF = re.compile(r"refs/[^\s~^:?\[\\]+")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""What a string of JSON or YAML can hold, and neither an event nor a database nor Kubernetes."""
_MOST_SHOWN = 200
_SCP = re.compile(r"(?:[^/@:]+@)?[^/@:]+:[^/].*")


def name_of(value: Any) -> str:
    """Return a DNS label (RFC 1123), or raise."""
    if not isinstance(value, str) or not naming.LABEL.fullmatch(value):
        raise _Wrong(f"{_shown(value)} is not a valid name", f"use {naming.FORM}")
    return value


def reference_of(value: Any) -> str:
    """Return the name of credentials. What is none is not repeated: it may be the credential itself."""
    if not isinstance(value, str) or not naming.LABEL.fullmatch(value):
        raise _Wrong("this is not the name of credentials", "name what is kept beside the service, such as 'forge'")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{_shown(value)} is not text", "quote it")
    if _NO_TEXT.search(value):
        raise _Wrong(f"{_shown(value)} holds a NUL or half of a character", "write it in UTF-8, without \\0")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"{_shown(value)} is neither true nor false")
    return value


def _seconds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise _Wrong(f"{_shown(value)} is not a number of seconds")
    return value


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise _Wrong(f"{_shown(value)} is not a list")
    return [_text(item) for item in value]


def ref_of(value: Any) -> str:
    """Return a full ref: `main` → `refs/heads/main`; `HEAD` and `refs/…` stay as they are."""
    text = _text(value)
    if text in ("", DEFAULT_REF):
        return DEFAULT_REF
    full = text if text.startswith("refs/") else f"refs/heads/{text}"
    if not _REF.fullmatch(full) or ".." in full or full.endswith(("/", ".lock")):
        raise _Wrong(f"{_shown(text)} is not a ref", "name a branch ('main') or a full ref ('refs/tags/v1')")
    return full


def _refs(value: Any) -> list[str]:
    return [ref_of(item) for item in _texts(value)]


def url_of(value: Any) -> str:
    """Return the URL or absolute path of a repository; userinfo is refused, since a declaration is read by everyone."""
    text = _text(value)
    if credentials.in_address(text):
        raise _Wrong("the URL holds credentials", "remove them from the URL and name a credentials reference instead")
    if "://" not in text:
        if text.startswith("/") or _SCP.fullmatch(text):
            return text
        raise _Wrong(
            f"{_shown(text)} is neither a URL nor an absolute path", "write https://…, ssh://…, host:path or /path"
        )
    try:
        parts = urlsplit(text)
    except ValueError:
        raise _Wrong("the URL cannot be read", "write https://host/path") from None
    if parts.scheme not in ("https", "http", "ssh", "git", "file"):
        raise _Wrong(f"{parts.scheme}:// is not a transport that is followed", "use https://, ssh:// or a path")
    return text


def folder_of(value: Any) -> str:
    """Return a path within a source without `.`, `..` or slashes at its ends; empty is the root."""
    steps = [step for step in _text(value).split("/") if step not in ("", ".")]
    if ".." in steps:
        raise _Wrong(f"{_shown(value)} leads out of the repository", "name a folder inside it")
    return "/".join(steps)


def _shown(value: Any) -> str:
    """A wrong value as an error may repeat it: short, without credentials, and never what holds other values."""
    if isinstance(value, Mapping | list):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    return credentials.hide(repr(value))[:_MOST_SHOWN]


def _choice(enum: Any, prefix: str) -> Callable[[Any], int]:
    """Read a word of a closed set: `heal` → MODE_HEAL."""
    words: dict[Any, int] = {name.removeprefix(prefix).lower(): number for name, number in enum.items() if number}

    def read(value: Any) -> int:
        # Kubernetes' YAML reads a bare `off` as false (YAML 1.1); as a mode it is meant as the word.
        word = "off" if value is False and "off" in words else value
        if word not in words:
            raise _Wrong(f"{_shown(value)} is not known here", f"use one of {', '.join(words)}")
        return words[word]

    return read


def _rules(message: type[Message], fields: Mapping[str, _Field]) -> Callable[[Any], list[Message]]:
    def read(value: Any) -> list[Message]:
        if not isinstance(value, list):
            raise _Wrong(f"{_shown(value)} is not a list")
        return [_fill(message(), fields, item) for item in value]

    return read


_IGNORE = {
    "group": _Field("group", _text),
    "kind": _Field("kind", _text),
    "namespace": _Field("namespace", _text),
    "name": _Field("name", _text),
    "pointers": _Field("pointers", _texts),
    "managers": _Field("managers", _texts),
}
_RECORD = {
    "group": _Field("group", _text),
    "kind": _Field("kind", _text, required=True),
    "namespaces": _Field("namespaces", _texts),
}

_FIELDS: Mapping[str, Mapping[str, _Field]] = {
    "Source": {
        "url": _Field("url", url_of, required=True),
        "refs": _Field("refs", _refs),
        "credentials": _Field("credentials", reference_of),
        "pollSeconds": _Field("poll_seconds", _seconds),
    },
    "Cluster": {
        "context": _Field("context", _text),
        "record": _Field("record", _rules(fleet_pb2.RecordRule, _RECORD)),
    },
    "Application": {
        "source": _Field("source", name_of, required=True),
        "ref": _Field("ref", ref_of),
        "path": _Field("path", folder_of, required=True),
        "renderer": _Field("renderer", _choice(fleet_pb2.Renderer, "RENDERER_")),
        "destCluster": _Field("dest_cluster", name_of, required=True),
        "destNamespace": _Field("dest_namespace", name_of),
        "mode": _Field("mode", _choice(fleet_pb2.Mode, "MODE_")),
        "prune": _Field("prune", _flag),
        "conflicts": _Field("conflicts", _choice(fleet_pb2.Conflicts, "CONFLICTS_")),
        "onDelete": _Field("on_delete", _choice(fleet_pb2.OnDelete, "ON_DELETE_")),
        "ignore": _Field("ignore", _rules(fleet_pb2.IgnoreRule, _IGNORE)),
        "owner": _Field("owner", _text),
        "healthTimeoutSeconds": _Field("health_timeout_seconds", _seconds),
    },
}


def _nearest(word: str, words: Any) -> str:
    near = naming.nearest(word, words)
    return f"did you mean {near!r}?" if near else f"use {', '.join(sorted(words))}"


def _fill(message: Message, fields: Mapping[str, _Field], values: Any) -> Message:
    """Set the message's fields from a mapping. Raises _Wrong, naming the key."""
    if not isinstance(values, Mapping):
        raise _Wrong(f"{_shown(values)} is not a mapping of fields")
    for key in values:
        if key not in fields:
            raise _Wrong(f"there is no field {key!r}", _nearest(str(key), fields))
    for key, field in fields.items():
        if values.get(key) is None:
            if field.required:
                raise _Wrong(f"the field {key!r} is missing", f"add '{key}: …'")
            continue
        try:
            value = field.read(values[key])
        except _Wrong as wrong:
            raise _Wrong(f"{key}: {wrong}", wrong.hint) from None
        if isinstance(value, list):
            getattr(message, field.attribute).extend(value)
        else:
            setattr(message, field.attribute, value)
    return message


def _with_defaults(spec: Spec) -> Spec:
    """Make what is implied explicit, so that an event says all that holds."""
    if isinstance(spec, fleet_pb2.SourceSpec):
        if not spec.refs:
            spec.refs.append(DEFAULT_REF)
    elif isinstance(spec, fleet_pb2.ApplicationSpec):
        spec.ref = spec.ref or DEFAULT_REF
        spec.mode = spec.mode or fleet_pb2.MODE_DETECT
        spec.conflicts = spec.conflicts or fleet_pb2.CONFLICTS_FORCE
        spec.on_delete = spec.on_delete or fleet_pb2.ON_DELETE_KEEP
    return spec


def parse(document: Any, *, file: str = "", line: int = 0) -> Declared:
    """Read one document. `file` and `line` only name the place in the error. Raises Invalid."""
    try:
        return _parse(document)
    except _Wrong as wrong:
        raise Invalid(
            subject_pb2.Failure(reason="InvalidDeclaration", message=str(wrong), hint=wrong.hint, file=file, line=line)
        ) from None


def _parse(document: Any) -> Declared:
    if not isinstance(document, Mapping):
        raise _Wrong("the document is not a mapping", f"start it with 'apiVersion: {API_VERSION}'")
    unknown = set(document) - {"apiVersion", "kind", "metadata", "spec"}
    if unknown:
        raise _Wrong(f"there is no field {min(map(str, unknown))!r} at the top", "use apiVersion, kind, metadata, spec")
    if document.get("apiVersion") != API_VERSION:
        raise _Wrong(f"apiVersion {document.get('apiVersion')!r} is not known", f"use {API_VERSION}")
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise _Wrong(f"kind {kind!r} is not known", _nearest(str(kind), _FIELDS))
    metadata = document.get("metadata")
    if not isinstance(metadata, Mapping) or set(metadata) != {"name"}:
        raise _Wrong("metadata must hold a name and nothing else", "write 'metadata: {name: …}'")
    name = name_of(metadata["name"])
    spec = _fill(type_of_spec[kind](), _FIELDS[kind], document.get("spec") or {})
    assert isinstance(spec, fleet_pb2.SourceSpec | fleet_pb2.ClusterSpec | fleet_pb2.ApplicationSpec)  # noqa: S101
    return Declared(kind=kind, name=name, spec=_with_defaults(spec))


def to_document(declared: Declared) -> dict[str, Any]:
    """Write a declaration the way `parse` reads it; fields with their zero value are left out."""
    return {
        "apiVersion": API_VERSION,
        "kind": declared.kind,
        "metadata": {"name": declared.name},
        "spec": _to_mapping(declared.spec, _FIELDS[declared.kind]),
    }


def _to_mapping(message: Message, fields: Mapping[str, _Field]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, field in fields.items():
        descriptor = message.DESCRIPTOR.fields_by_name[field.attribute]
        value = getattr(message, field.attribute)
        if not value:
            continue
        if descriptor.enum_type is not None:
            prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", descriptor.enum_type.name).upper() + "_"
            out[key] = descriptor.enum_type.values_by_number[value].name.removeprefix(prefix).lower()
        elif descriptor.message_type is not None:
            out[key] = [_to_mapping(item, _IGNORE if key == "ignore" else _RECORD) for item in value]
        else:
            out[key] = list(value) if field.read in (_texts, _refs) else value
    return out


def settings_digest(spec: fleet_pb2.ApplicationSpec) -> str:
    """Names what of a declaration decides comparisons and syncs: all of it but who answers for the application."""
    relevant = fleet_pb2.ApplicationSpec()
    relevant.CopyFrom(spec)
    relevant.ClearField("owner")
    return hashlib.sha256(relevant.SerializeToString(deterministic=True)).hexdigest()
