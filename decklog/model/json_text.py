"""Reading JSON: one value or several after one another, numbers as the API server takes them."""

import json
import math
from typing import Any

import orjson

from decklog.model import yaml_scalars
from decklog.model.source_text import Limits, ManifestError, ManifestWarning, Node


def read(text: str, file: str, limits: Limits) -> tuple[list[Node], tuple[ManifestWarning, ...]]:
    """The values of a text, each with its line.

    Raises:
        ManifestError: the text is no JSON, or passes a limit.
    """
    warnings: list[ManifestWarning] = []
    found: list[Node] = []
    position = _skip_space(text, 0)
    while position < len(text):
        line = text.count("\n", 0, position) + 1
        decoder = _decoder(warnings, file, line)
        try:
            value, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise ManifestError(file, error.lineno, f"invalid JSON: {error.msg}", "correct the line") from error
        except RecursionError as error:
            raise ManifestError(file, line, f"nested deeper than {limits.depth} levels", "flatten it") from error
        except ValueError as error:
            raise ManifestError(file, line, str(error), "correct the number") from error
        found.append(Node(_encodable(_within(value, file, line, limits), file, line), line))
        position = _skip_space(text, end)
    return found, tuple(warnings)


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _decoder(warnings: list[ManifestWarning], file: str, line: int) -> json.JSONDecoder:
    def pairs(entries: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(entries)
        if len(result) < len(entries):
            names = [name for name, _ in entries]
            twice = sorted({name for name in names if names.count(name) > 1})
            warnings.append(ManifestWarning(file, line, f"{', '.join(twice)} is given twice: the last one holds"))
        return result

    return json.JSONDecoder(
        object_pairs_hook=pairs,
        parse_int=lambda digits: yaml_scalars.number(
            float(digits) if len(digits) > yaml_scalars.DIGITS else int(digits)
        ),
        parse_float=lambda digits: yaml_scalars.number(float(digits)),
        parse_constant=_refuse_constant,
    )


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} cannot be written in JSON")


def _encodable(value: Any, file: str, line: int) -> Any:
    """The value itself, once it is known that it can be written again: half a surrogate pair cannot."""
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise ManifestError(file, line, f"a text is no Unicode: {error}", "escape whole characters") from error
    return value


def _within(value: Any, file: str, line: int, limits: Limits) -> Any:
    """The value itself, once its depth and size are known to be within limits."""
    level, nodes = [value], 0
    for _ in range(limits.depth):
        nodes += len(level)
        if nodes > limits.nodes:
            raise ManifestError(file, line, f"more than {limits.nodes} values", "split the file")
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return value
        if any(isinstance(child, float) and not math.isfinite(child) for child in level):
            raise ManifestError(file, line, "a number is beyond all bounds", "correct the number")
    raise ManifestError(file, line, f"nested deeper than {limits.depth} levels", "flatten it")
