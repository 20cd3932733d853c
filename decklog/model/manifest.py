"""Manifests: YAML and JSON text into Kubernetes objects, read as Kubernetes itself reads it.

`kubectl` and the API server read YAML through Go's YAML 1.1 dialect and then as JSON; what a value means here must not
differ from what it means there, so `yaml_scalars` holds their rules and every file ends in JSON values. Each object
keeps the file and line it came from, and each refusal names them.

A document that holds nothing (only comments, or nothing between two `---`) is passed over, as kubectl does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from decklog.model import json_text, objects, yaml_text
from decklog.model.source_text import Limits, ManifestError, ManifestWarning, Node

__all__ = ["Limits", "Loaded", "Manifest", "ManifestError", "ManifestWarning", "load"]

_DEFAULT_LIMITS = Limits()
_TEMPLATE = re.compile(r"\{\{.*?\}\}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object and where it was written: file relative to the tree's root, line counted from 1 (0: unknown)."""

    object: objects.KubeObject
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one file held, in its order."""

    manifests: tuple[Manifest, ...]
    warnings: tuple[ManifestWarning, ...] = field(default=())


def load(raw: bytes, file: str, limits: Limits = _DEFAULT_LIMITS) -> Loaded:
    """The objects of one file; `.json` is read as JSON, anything else as YAML. List kinds are opened.

    Raises:
        ManifestError: the text cannot be read, a limit was passed, or a document is no Kubernetes object.
    """
    text = _decoded(raw, file)
    reader = json_text if file.endswith(".json") else yaml_text
    try:
        documents, warnings = reader.read(text, file, limits)
    except ManifestError as error:
        raise _explained(error, text) from error
    found: list[Manifest] = []
    for number, document in enumerate(documents, start=1):
        if document.value is not None:
            found.extend(_opened(document, file, f"document {number}"))
    return Loaded(tuple(found), warnings)


def _decoded(raw: bytes, file: str) -> str:
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ManifestError(file, line, f"byte {error.start} is no UTF-8", "save the file as UTF-8") from error


def _explained(error: ManifestError, text: str) -> ManifestError:
    """Text with template braces is the commonest reason for YAML that cannot be read: say so."""
    lines = text.splitlines()
    if not any(_TEMPLATE.search(line) for line in lines[max(0, error.line - 2) : error.line + 1]):
        return error
    return ManifestError(
        error.file, error.line, error.problem, "this looks like a template: render it first, or keep it out of the path"
    )


def _opened(node: Node, file: str, where: str) -> Iterator[Manifest]:
    """The object itself, or the items of a List kind, opened in turn."""
    body = node.value
    kind = body.get("kind") if isinstance(body, dict) else None
    items = node.children("items") if isinstance(kind, str) and kind.endswith("List") else None
    if items is None:
        yield Manifest(_checked(body, file, node.line, where), file, node.line)
        return
    for number, item in enumerate(items, start=1):
        yield from _opened(item, file, f"{where}, item {number}")


def _checked(body: Any, file: str, line: int, where: str) -> objects.KubeObject:
    problem = _problem(body)
    if problem is None:
        checked: objects.KubeObject = body
        return checked
    text, hint = problem
    raise ManifestError(file, line, f"{where} {text}", hint)


def _problem(body: Any) -> tuple[str, str] | None:
    """Why this is no Kubernetes object, and what to do; None when it is one."""
    if not isinstance(body, dict):
        return "is not an object", "every document has apiVersion, kind and metadata; keep other files out of the path"
    for name in ("apiVersion", "kind"):
        if not isinstance(body.get(name), str) or not body[name]:
            return f"has no {name}", "every object has apiVersion, kind and metadata; keep other files out of the path"
    if body["apiVersion"].count("/") > 1 or "/" in body["kind"]:
        return (
            f"has the odd kind {body['apiVersion']} {body['kind']}",
            "write apiVersion as group/version, such as apps/v1",
        )
    return _metadata_problem(body.get("metadata"))


def _metadata_problem(meta: Any) -> tuple[str, str] | None:
    if not isinstance(meta, dict):
        return "has no metadata", "give the object metadata with a name"
    if "generateName" in meta and not meta.get("name"):
        return (
            "asks for a generated name",
            "give it metadata.name: an object of a changing name cannot be kept equal to Git",
        )
    if not isinstance(meta.get("name"), str) or not meta["name"]:
        return "has no metadata.name", "give the object a name; a name made of digits is written in quotes"
    if "/" in meta["name"] or not isinstance(meta.get("namespace") or "", str) or "/" in (meta.get("namespace") or ""):
        return f"has the odd name {meta['name']!r}", "a name and a namespace are text without slashes"
    return _texts_problem(meta)


def _texts_problem(meta: dict[str, Any]) -> tuple[str, str] | None:
    for part in ("labels", "annotations"):
        entries = meta.get(part)
        if entries is not None and not isinstance(entries, dict):
            return f"has {part} that are no mapping", f"write {part} as name: value"
        for name, value in (entries or {}).items():
            if value is not None and not isinstance(value, str):
                return f"has the {part[:-1]} {name} with a value that is no text", f'write it in quotes: {name}: "…"'
    return None
