"""What must not show in Kustomize's complaints: the secret values of everything it read.

Kustomize quotes what it cannot use: a literal without `=`, a patch it cannot parse. Files are read leniently here, as
what is no object on its own (a patch, a line of an environment file) may hold a secret all the same.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from decklog.model import manifest, masking, yaml_text

_STRUCTURED = (".yaml", ".yml", ".json", "")


def known(files: list[Path]) -> frozenset[bytes]:
    """Every value of these files that is, or may be, secret."""
    return frozenset(secret for path in files for secret in _of_file(path))


def _of_file(path: Path) -> Iterator[bytes]:
    raw = path.read_bytes()
    if path.suffix in _STRUCTURED:
        yield from _of_text(raw.decode("utf-8", "replace"))
    else:
        yield raw
        yield from (line.partition(b"=")[2] for line in raw.splitlines())


def _of_text(text: str) -> Iterator[bytes]:
    try:
        documents, _ = yaml_text.read(text, "", manifest.Limits())
    except manifest.ManifestError:
        # Nothing can be told apart in it: whatever follows a colon may be a value.
        yield from (part.strip().strip("\"'").encode() for line in text.splitlines() for part in line.split(":")[1:])
        return
    for document in documents:
        yield from _of_value(document.value)


def _of_value(value: Any) -> Iterator[bytes]:
    if isinstance(value, list):
        for item in value:
            yield from _of_value(item)
    elif isinstance(value, str) and ("\n" in value or value.lstrip().startswith(("[", "{"))):
        yield from _of_text(value)
    elif isinstance(value, dict):
        yield from masking.secret_values(
            {**value, "kind": "Secret"} if _about_secrets(value) else value, masking.DEFAULT_RULES
        )
        for generator in value.get("secretGenerator") or ():
            yield from _literals(generator)
        if str(value.get("path", "")).startswith(("/data", "/stringData")):
            yield from _leaves(value.get("value"))
        for entry in value.values():
            yield from _of_value(entry)


def _about_secrets(value: dict[str, Any]) -> bool:
    """An object, or a patch of one, that has a Secret's fields."""
    return value.get("kind") == "Secret" or "stringData" in value


def _literals(generator: Any) -> Iterator[bytes]:
    for literal in generator.get("literals") or () if isinstance(generator, dict) else ():
        if isinstance(literal, str):
            yield from (literal.encode(), literal.partition("=")[2].strip("\"'").encode())


def _leaves(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _leaves(entry)
    elif value is not None:
        yield str(value).encode()
