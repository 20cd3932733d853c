"""What an unquoted YAML word means to Kubernetes.

Kubernetes reads YAML with a fork of go-yaml v2 (sigs.k8s.io/yaml): YAML 1.1 words for booleans, Go's integer syntax,
no sexagesimal numbers, no dates; and then turns the result into JSON, where `1.0` and `1` are one number.
"""

import math
import re

Scalar = str | int | float | bool | None

_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_NOT_FINITE = frozenset(
    sign + word
    for sign, words in (
        ("", (".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF")),
        ("+", (".inf", ".Inf", ".INF")),
        ("-", (".inf", ".Inf", ".INF")),
    )
    for word in words
)
_INTEGER = re.compile(
    r"[-+]?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[oO](?P<octal>[0-7]+)|0[bB](?P<binary>[01]+)|0(?P<old>[0-7]+)|(?P<decimal>0|[1-9][0-9]*))"
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BASES = {"hex": 16, "octal": 8, "binary": 2, "old": 8, "decimal": 10}
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys(_NULL, None),
}
_NUMBER_STARTS = frozenset("+-.0123456789")

# No 64-bit number has more digits; Python refuses to read very long ones as integers at all.
DIGITS = 20
_INT64 = 1 << 63


def plain(word: str) -> Scalar:
    """The value of an unquoted word.

    Raises:
        ValueError: an infinity or not-a-number, which JSON cannot hold.
    """
    if word in _WORDS:
        return _WORDS[word]
    if word[0] not in _NUMBER_STARTS:
        return word
    if word in _NOT_FINITE:
        raise ValueError(f"{word} cannot be written in JSON")
    value = _numeric(word.replace("_", ""))
    return word if value is None else number(value)


def number(value: float) -> int | float:
    """A number as it comes out of Go's JSON: whole numbers are integers, integers beyond 64 bits are not.

    Raises:
        ValueError: the number is beyond all bounds.
    """
    if not math.isfinite(value):
        raise ValueError("a number is beyond all bounds")
    whole = value == int(value) and -_INT64 <= value < _INT64
    return int(value) if whole else float(value)


def key(value: Scalar) -> str:
    """A mapping's key as JSON text.

    Raises:
        ValueError: a key that is null.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        raise ValueError("a key is empty")
    return str(value)


def _numeric(word: str) -> int | float | None:
    found = _INTEGER.fullmatch(word)
    if found and len(word) <= DIGITS * 4:
        style, digits = next((name, text) for name, text in found.groupdict().items() if text is not None)
        magnitude = int(digits, _BASES[style])
        if magnitude < 2 * _INT64:
            return -magnitude if word[0] == "-" else magnitude
    return float(word) if _FLOAT.fullmatch(word) else None
