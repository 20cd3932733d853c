"""YAML and JSON as they are printed: what Kubernetes reads back is what was meant, and masked values are marked."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
import yaml

from decklog.model import printable, yaml_scalars
from decklog.model.masking import key as masking_key

MASKED_NOTE = "# masked"
"""Ends each line whose value, or a part of it, was replaced by a keyed digest before it was recorded."""

_WIDE = 2**31 - 1


class _Dumper(yaml.CSafeDumper):
    """Quotes whatever Kubernetes would read as something else than text: `1e3`, `0o17`, `y`."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Never write anchors: a manifest is read by people."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    if printable.hides(text):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
    style = "|" if "\n" in text.rstrip("\n") else ("" if _stays_text(text) else "'")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style or None)


def _stays_text(text: str) -> bool:
    try:
        return yaml_scalars.plain(text) == text if text else False
    except ValueError:
        return False


_Dumper.add_representer(str, _text)


def to_json(value: Any) -> str:
    """JSON for people and programs, indented."""
    return printable.in_json(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())


def to_json_line(value: Any) -> str:
    """JSON on one line, for a stream of values."""
    return printable.in_json(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE).decode())


def to_yaml(value: Any) -> str:
    """One YAML document."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, sort_keys=False, allow_unicode=True, width=_WIDE
    )
    return printable.shown(text)  # in YAML, too, these are the escapes; texts that hold any are in double quotes


def manifest(value: Mapping[str, Any]) -> str:
    """One Kubernetes object as YAML, in the order people write it, each masked value marked by a comment.

    Within text of several lines a comment would be text: there the values stand as they are.
    """
    mark = _mark(value)
    return re.sub(rf"{mark}(['\"]?)\n", rf"\1  {MASKED_NOTE}\n", to_yaml(_marked(_ordered(value), mark)))


def manifests(objects: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A stream of YAML documents."""
    for number, value in enumerate(objects):
        yield ("---\n" if number else "") + manifest(value)


def masked_values(value: Any) -> int:
    """How many values of an object, or parts of its texts, were replaced by a keyed digest."""
    if isinstance(value, Mapping):
        return sum(masked_values(item) for item in value.values())
    if isinstance(value, list):
        return sum(masked_values(item) for item in value)
    return masking_key.masked_in(value)


def _ordered(value: Mapping[str, Any]) -> dict[str, Any]:
    first = [name for name in ("apiVersion", "kind", "metadata") if name in value]
    return {name: value[name] for name in first + [name for name in value if name not in first]}


def _mark(value: Any) -> str:
    """A word that occurs nowhere in the value: YAML writers know no comments, so a mark stands in until the end."""
    text = orjson.dumps(value).decode()
    mark, number = "~masked", 0
    while mark in text:
        number += 1
        mark = f"~masked{number}"
    return mark


def _marked(value: Any, mark: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _marked(item, mark) for name, item in value.items()}
    if isinstance(value, list):
        return [_marked(item, mark) for item in value]
    return value + mark if masking_key.masked_in(value) and "\n" not in value else value
