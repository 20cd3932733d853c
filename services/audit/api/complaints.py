"""What is wrong with a request that does not fit the API, in our own words. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

COMMIT = r"^([0-9a-f]{4,64})?$"
EVENT = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
LEAF = r"^-?\d{1,18}$"

_FORMS: Mapping[str, str] = {
    COMMIT: "the id of a commit, or the first 4 or more of its lower-case hex digits",
    EVENT: "the whole id of an event",
    LEAF: "the number of a leaf",
}
"""What fits a pattern."""

Given = Mapping[str, Any]

_WORDS: Mapping[str, Callable[[Given], str]] = {
    "missing": lambda _: "is missing",
    "extra_forbidden": lambda _: "is no field of this request",
    "string_type": lambda _: "is not text",
    "string_too_long": lambda given: f"has more than {given['max_length']} characters",
    "string_too_short": lambda given: f"has fewer than {given['min_length']} characters",
    "string_pattern_mismatch": lambda given: f"is not {_FORMS.get(given['pattern'], 'of the right form')}",
    "int_type": lambda _: "is not a whole number",
    "int_parsing": lambda _: "is not a whole number",
    "int_parsing_size": lambda _: "is too large a number",
    "int_from_float": lambda _: "is not a whole number",
    "float_type": lambda _: "is not a number",
    "float_parsing": lambda _: "is not a number",
    "finite_number": lambda _: "is not a finite number",
    "greater_than_equal": lambda given: f"is less than {given['ge']}",
    "greater_than": lambda given: f"is not more than {given['gt']}",
    "less_than_equal": lambda given: f"is more than {given['le']}",
    "less_than": lambda given: f"is not less than {given['lt']}",
    "bool_type": lambda _: "is neither true nor false",
    "bool_parsing": lambda _: "is neither true nor false",
    "enum": lambda given: f"is not {given['expected']}",
    "dict_type": lambda _: "is not a JSON object",
    "model_attributes_type": lambda _: "is not a JSON object",
    "model_type": lambda _: "is not a JSON object",
    "json_invalid": lambda _: "is not JSON",
}
"""By the type of the validator's error (https://docs.pydantic.dev/latest/errors/validation_errors/)."""


def told(error: Mapping[str, Any]) -> dict[str, str]:
    """One thing that is wrong: `in` (body, query, path or header), `name` (empty for the whole), and `detail`."""
    place, *path = map(str, error["loc"])
    malformed = error["type"] == "json_invalid"  # its path is a position in the text
    words = _WORDS.get(error["type"])
    detail = words(error.get("ctx") or {}) if words is not None else "does not fit"
    return {"in": place, "name": "" if malformed else ".".join(path), "detail": detail}


def sentence(found: Mapping[str, str]) -> str:
    """The same as a person reads it: `commit is not the id of a commit …`, `the body is not JSON`."""
    subject = found["name"] or f"the {found['in']}"
    return f"{subject} {found['detail']}"
