"""Masking of one Kubernetes object: shape kept, secret values replaced.

Three things are masked. Wholly: a Secret's `data` and `stringData`, and last-applied annotations of any object, which
repeat whatever was applied. By secret-like name: ConfigMap entries, chart values, options on command lines, and every
`{name, value}` pair of any list anywhere, which covers container environments in all pod templates, known or not. By
declared rule: what it names.
"""

import base64
import binascii
import functools
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from decklog.model import objects, pointer, source_text, yaml_text
from decklog.model.masking import key as masking_key
from decklog.model.masking import rules as masking_rules

LAST_APPLIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "kapp.k14s.io/original",
        "banzaicloud.com/last-applied",
        "objectset.rio.cattle.io/applied",
        "pulumi.com/last-applied-configuration",
    }
)

_Mask = Callable[[Any], Any]

# Where other tools keep chart values inside their own objects: (group, kind) and the places.
_CHART_VALUES: dict[tuple[str, str], tuple[pointer.Segments, ...]] = {
    ("helm.toolkit.fluxcd.io", "HelmRelease"): (("spec", "values"),),
    ("helm.cattle.io", "HelmChart"): (("spec", "set"), ("spec", "valuesContent")),
    ("argoproj.io", "Application"): (
        ("spec", "source", "helm", "valuesObject"),
        ("spec", "source", "helm", "values"),
        ("spec", "sources", "*", "helm", "valuesObject"),
        ("spec", "sources", "*", "helm", "values"),
    ),
}


def mask(obj: objects.KubeObject, key: masking_key.MaskingKey, rules: masking_rules.MaskingRules) -> objects.KubeObject:
    """The object with every secret value replaced. The original is untouched, and unchanged parts may be shared.

    Masking a masked object changes nothing. List kinds are masked item by item.
    """
    items = obj.get("items")
    if isinstance(items, list) and str(obj.get("kind", "")).endswith("List"):
        return {**obj, "items": [mask(item, key, rules) if isinstance(item, dict) else item for item in items]}
    return _masked(obj, rules, _Masker(key))


def mask_values(values: Any, key: masking_key.MaskingKey) -> Any:
    """Chart values with each leaf below a secret-like name replaced."""
    return _below_secret_names(values, _Masker(key).text)


def secret_values(obj: objects.KubeObject, rules: masking_rules.MaskingRules) -> frozenset[bytes]:
    """Every value that `mask` would replace, decoded: what must be kept out of free text about the object."""
    collector = _Collector()
    items = obj.get("items")
    for one in items if isinstance(items, list) else [obj]:
        if isinstance(one, dict):
            _masked(one, rules, collector)
    return frozenset(collector.found)


class _Masker:
    """Replaces scalars by their masked form."""

    def __init__(self, key: masking_key.MaskingKey) -> None:
        self._key = key

    def text(self, value: Any) -> Any:
        """A scalar whose bytes are its own text."""
        if value is None or masking_key.is_masked(value):
            return value
        return self._key.mask(_bytes(value))

    def encoded(self, value: Any) -> Any:
        """A scalar that should be base64 of the secret bytes."""
        if value is None or masking_key.is_masked(value):
            return value
        decoded = _decoded(value)
        return self._key.mask_undecodable(_bytes(value).decode()) if decoded is None else self._key.mask(decoded)


class _Collector:
    """Replaces nothing and remembers what would have been."""

    def __init__(self) -> None:
        self.found: set[bytes] = set()

    def text(self, value: Any) -> Any:
        if value is not None and not masking_key.is_masked(value):
            self.found.add(_bytes(value))
        return value

    def encoded(self, value: Any) -> Any:
        if value is not None and not masking_key.is_masked(value):
            decoded = _decoded(value)
            self.found.add(_bytes(value) if decoded is None else decoded)
        return value


def _masked(
    obj: objects.KubeObject, rules: masking_rules.MaskingRules, masker: _Masker | _Collector
) -> objects.KubeObject:
    kind = objects.gvk(obj)
    result: objects.KubeObject = _named_pairs(obj, masker.text)
    result = _last_applied(result, masker.text)
    if (kind.group, kind.kind) == ("", "Secret"):
        result = _secret(result, masker)
    elif (kind.group, kind.kind) == ("", "ConfigMap"):
        result = _config_map(result, masker)
    for place in _CHART_VALUES.get((kind.group, kind.kind), ()):
        result = _at(result, place, functools.partial(_chart_values, masker.text))
    for rule in rules.concerning(kind):
        result = _at(result, pointer.split(rule.pointer), functools.partial(_matching_leaves, rule, masker.text))
    return result


def _secret(obj: objects.KubeObject, masker: _Masker | _Collector) -> objects.KubeObject:
    encoded = _at(obj, ("data",), lambda value: _leaves(value, masker.encoded))
    return _at(encoded, ("stringData",), lambda value: _leaves(value, masker.text))


def _config_map(obj: objects.KubeObject, masker: _Masker | _Collector) -> objects.KubeObject:
    # An entry that is no text is refused by the API server, after it was rendered and recorded.
    text = _at(obj, ("data",), lambda value: _below_secret_names(value, masker.text))
    return _at(text, ("binaryData",), lambda value: _below_secret_names(value, masker.encoded))


def _last_applied(obj: objects.KubeObject, mask_one: _Mask) -> objects.KubeObject:
    return _at(
        obj,
        ("metadata", "annotations"),
        lambda value: (
            {name: mask_one(text) if name in LAST_APPLIED else text for name, text in value.items()}
            if isinstance(value, dict)
            else value
        ),
    )


def _named_pairs(value: Any, mask_one: _Mask) -> Any:
    """Walks everything; a `{name, value}` pair with a telling name or a password in its URL has its value replaced."""
    if isinstance(value, list):
        return [_named_pairs(item, mask_one) for item in value]
    if not isinstance(value, dict):
        return value
    walked = {name: _named_pairs(entry, mask_one) for name, entry in value.items()}
    for part in ("command", "args"):
        if isinstance(value.get(part), list):
            walked[part] = list(_options(value[part], mask_one))
    name, literal = value.get("name"), value.get("value")
    if "value" in value and isinstance(name, str) and _speaks_secret(name, literal):
        walked["value"] = _leaves(literal, mask_one)
    return walked


def _options(words: list[Any], mask_one: _Mask) -> Iterator[Any]:
    """A command line with the values of telling options replaced: `--password=x`, `--password x`, a URL with one."""
    telling = False
    for word in words:
        option, equals, literal = word.partition("=") if isinstance(word, str) else ("", "", "")
        named = option.startswith("-") and masking_rules.secret_like(option)
        if named and equals:
            yield f"{option}={mask_one(literal)}"
        elif isinstance(word, str) and (
            (telling and not option.startswith("-")) or masking_rules.carries_userinfo(word)
        ):
            yield mask_one(word)
        else:
            yield word
        telling = named and not equals


def _chart_values(mask_one: _Mask, value: Any) -> Any:
    """Chart values, as a mapping or as YAML text; a text that holds something secret is replaced as a whole."""
    if not isinstance(value, str):
        return _below_secret_names(value, mask_one)
    try:
        documents, _ = yaml_text.read(value, "values", source_text.Limits())
    except source_text.ManifestError:
        return mask_one(value)  # what cannot be looked into is not recorded
    inside = _Collector()
    for document in documents:
        _below_secret_names(document.value, inside.text)
    return mask_one(value) if inside.found else value


def _speaks_secret(name: str, value: Any) -> bool:
    return masking_rules.secret_like(name) or (isinstance(value, str) and masking_rules.carries_userinfo(value))


def _below_secret_names(value: Any, mask_one: _Mask) -> Any:
    if isinstance(value, list):
        return [_below_secret_names(item, mask_one) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _leaves(entry, mask_one) if _speaks_secret(name, entry) else _below_secret_names(entry, mask_one)
        for name, entry in value.items()
    }


def _matching_leaves(rule: masking_rules.MaskingRule, mask_one: _Mask, value: Any) -> Any:
    return _leaves(value, lambda leaf: mask_one(leaf) if rule.matches(_bytes(leaf).decode()) else leaf)


def _leaves(value: Any, mask_one: _Mask) -> Any:
    if isinstance(value, list):
        return [_leaves(item, mask_one) for item in value]
    if isinstance(value, dict):
        return {name: _leaves(entry, mask_one) for name, entry in value.items()}
    return mask_one(value)


def _at(obj: objects.KubeObject, place: pointer.Segments, change: _Mask) -> objects.KubeObject:
    """A copy of the object with `change` made at every place that the pattern names; absent places stay absent."""
    changed = _changed(obj, place, change)
    return changed if isinstance(changed, dict) else obj


def _changed(value: Any, place: pointer.Segments, change: _Mask) -> Any:
    if not place:
        return change(value)
    if not isinstance(value, dict | list):
        return value
    chosen = set(_chosen(value, place[0]))
    if isinstance(value, list):
        return [_changed(item, place[1:], change) if index in chosen else item for index, item in enumerate(value)]
    return {name: _changed(entry, place[1:], change) if name in chosen else entry for name, entry in value.items()}


def _chosen(value: dict[str, Any] | list[Any], segment: str) -> Iterator[str | int]:
    if isinstance(value, dict):
        yield from value if segment == pointer.ANY else [segment] if segment in value else []
    elif segment == pointer.ANY:
        yield from range(len(value))
    elif segment.isascii() and segment.isdigit() and int(segment) < len(value):
        yield int(segment)


def _bytes(value: Any) -> bytes:
    """A scalar's bytes: text is itself, anything else is its JSON."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else orjson.dumps(value)


def _decoded(value: Any) -> bytes | None:
    """What base64 text stands for, or None when it is no base64. Line breaks are allowed, as by the API server."""
    if not isinstance(value, str):
        return None
    try:
        return base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return None
