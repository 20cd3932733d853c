"""The documents of a fleet repository at a commit: what they declare, and which of them cannot count."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from decklog.events.v1 import subject_pb2
from decklog.model import declaration, fleet, source_text, yaml_text
from decklog.ports import mirror

SUFFIXES = (".yaml", ".yml")

_OURS = "decklog.dev/"
_MARK = _OURS.encode()


@dataclass(frozen=True, slots=True)
class Document:
    """A valid declaration and where it stands."""

    declared: declaration.Declared
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document that does not count; kind and name are empty where they cannot be told."""

    kind: str
    name: str
    failure: subject_pb2.Failure

    @property
    def fingerprint(self) -> str:
        """Equal for the same complaint about the same place."""
        parts = [self.kind, self.name, self.failure.SerializeToString(deterministic=True).hex()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Documents:
    """Everything that a commit declares."""

    valid: Mapping[fleet.Key, Document]
    refused: Sequence[Refusal]

    def may_remove(self, key: fleet.Key) -> bool:
        """Whether a declaration that is not among these was taken out on purpose.

        A document that cannot be read may be the one that is missed: a typing error must not take applications down.
        """
        return key not in self.valid and all(one.name and (one.kind, one.name) != key for one in self.refused)


def read(files: Sequence[mirror.File], reserved: Mapping[fleet.Key, str]) -> Documents:
    """The documents of a tree's YAML files. `reserved`: names that no document may use, and why."""
    valid: dict[fleet.Key, Document] = {}
    refused: list[Refusal] = []
    for file in files:
        for found in _documents(file):
            fault = _fault(found, valid, reserved) if isinstance(found, Document) else found
            if fault is not None:
                refused.append(fault)
            elif isinstance(found, Document):
                valid[found.declared.kind, found.declared.name] = found
    return Documents(valid, refused)


def _fault(found: Document, valid: Mapping[fleet.Key, Document], reserved: Mapping[fleet.Key, str]) -> Refusal | None:
    """Why a document that is valid by itself does not count beside the others."""
    key = (found.declared.kind, found.declared.name)
    if key in reserved:
        return _refusal(found, "Reserved", reserved[key], "Remove the document, or choose another name")
    first = valid.get(key)
    if first is None:
        return None
    problem = f"{key[0]} {key[1]} is declared at {first.file}:{first.line} already"
    return _refusal(found, "DuplicateDeclaration", problem, "Remove one of the two, or choose another name")


def _refusal(found: Document, reason: str, problem: str, hint: str) -> Refusal:
    failure = subject_pb2.Failure(reason=reason, message=problem, hint=hint, file=found.file, line=found.line)
    return Refusal(found.declared.kind, found.declared.name, failure)


def _documents(file: mirror.File) -> Iterator[Document | Refusal]:
    """The documents of a file that are meant for us; a file without any is somebody else's and is not even parsed."""
    if file.content is None:
        yield _unreadable(file.path, 0, "FileTooLarge", "the file is too large for declarations", "split it")
        return
    if _MARK not in file.content:
        return
    try:
        nodes, _ = yaml_text.read(file.content.decode(), file.path, source_text.Limits())
    except UnicodeDecodeError:
        yield _unreadable(file.path, 0, "InvalidYaml", "the file is no UTF-8 text", "save it as UTF-8")
        return
    except source_text.ManifestError as error:
        yield _unreadable(file.path, error.line, "InvalidYaml", error.problem, error.hint)
        return
    for node in nodes:
        if isinstance(node.value, dict) and str(node.value.get("apiVersion", "")).startswith(_OURS):
            yield _document(node, file.path)


def _document(node: source_text.Node, path: str) -> Document | Refusal:
    try:
        declared = declaration.parse(node.value, file=path, line=node.line)
    except declaration.Invalid as error:
        return Refusal(_word(node.value.get("kind")), _word(_name(node.value)), error.failure)
    return Document(declared, path, node.line)


def _name(document: Mapping[str, Any]) -> Any:
    metadata = document.get("metadata")
    return metadata.get("name") if isinstance(metadata, dict) else ""


def _word(value: Any) -> str:
    return value[:63] if isinstance(value, str) else ""


def _unreadable(path: str, line: int, reason: str, problem: str, hint: str) -> Refusal:
    failure = subject_pb2.Failure(
        reason=reason, message=problem, hint=hint[:1].upper() + hint[1:], file=path, line=line
    )
    return Refusal("", "", failure)
