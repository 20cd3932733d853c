"""Reading YAML: libyaml parses, the rules of `yaml_scalars` decide, limits are kept while it happens.

PyYAML's own constructors are not used: they know dates, sexagesimal numbers and classes that Kubernetes does not, and
follow aliases without counting.
"""

import base64
import binascii
from typing import Any

import yaml

from decklog.model import yaml_scalars
from decklog.model.source_text import Limits, ManifestError, ManifestWarning, Node

_PLAIN = "decklog:plain"
_STANDARD = "tag:yaml.org,2002:"
_RESOLVED_BY_WORD = frozenset({_PLAIN, *(f"{_STANDARD}{name}" for name in ("null", "bool", "int", "float"))})
_TEXT = frozenset({f"{_STANDARD}str", f"{_STANDARD}timestamp", "!"})
_BINARY = f"{_STANDARD}binary"
_MERGE = "<<"


class _Composer(yaml.CSafeLoader):
    """Composes nodes; keeps unquoted words apart from quoted ones, and watches the depth while libyaml descends."""

    limits: Limits
    file: str
    _depth = 0

    def resolve(self, kind: Any, _value: Any, implicit: Any) -> Any:
        """The tag of a node that has none of its own."""
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else f"{_STANDARD}str"
        return f"{_STANDARD}{'seq' if kind is yaml.SequenceNode else 'map'}"

    def descend_resolver(self, node: Any, _index: Any) -> None:
        """Called by the composer before each node: the only place to stop it before the C stack ends."""
        self._depth += 1
        if self._depth > self.limits.depth:
            line = node.start_mark.line + 1 if node is not None else 0
            raise ManifestError(self.file, line, f"nested deeper than {self.limits.depth} levels", "flatten it")

    def ascend_resolver(self) -> None:
        """Called by the composer after each node."""
        self._depth -= 1


def read(text: str, file: str, limits: Limits) -> tuple[list[Node], tuple[ManifestWarning, ...]]:
    """The documents of a text, each with its line; an empty one is a node whose value is None.

    Raises:
        ManifestError: the text is no YAML, holds what JSON cannot, or passes a limit.
    """
    try:
        loader = _Composer(text)
    except yaml.reader.ReaderError as error:
        raise _unreadable(error, file, text) from error
    loader.limits, loader.file = limits, file
    builder = _Builder(file, limits)
    try:
        found = []
        while loader.check_node():
            found.append(builder.document(loader.get_node()))
    except yaml.reader.ReaderError as error:
        raise _unreadable(error, file, text) from error
    except yaml.MarkedYAMLError as error:
        raise _malformed(error, file) from error
    finally:
        loader.dispose()
    return found, tuple(builder.warnings)


def _unreadable(error: yaml.reader.ReaderError, file: str, text: str) -> ManifestError:
    position = error.position if isinstance(error.position, int) and error.position >= 0 else 0
    line = text.count("\n", 0, position) + 1
    return ManifestError(file, line, f"invalid YAML: {error.reason}", "remove the character that cannot be shown")


def _malformed(error: yaml.MarkedYAMLError, file: str) -> ManifestError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    problem = " ".join(part for part in (error.context, error.problem) if part)
    return ManifestError(file, line, f"invalid YAML: {problem}", "correct the line or the one before it")


class _Builder:
    """Turns composed nodes into JSON values, following aliases while it counts."""

    def __init__(self, file: str, limits: Limits) -> None:
        self.warnings: list[ManifestWarning] = []
        self._file = file
        self._limits = limits
        self._nodes = 0

    def document(self, root: Any) -> Node:
        value = self._value(root, 1)
        return Node(value, root.start_mark.line + 1, _item_lines(root))

    def _value(self, node: Any, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > self._limits.nodes:
            raise self._refused(
                node,
                f"more than {self._limits.nodes} values once aliases are followed",
                "use fewer aliases, or split the file",
            )
        if depth > self._limits.depth:
            raise self._refused(node, f"nested deeper than {self._limits.depth} levels", "flatten it")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if not node.tag.startswith(_STANDARD):
            raise self._refused(node, f"the tag {node.tag} means nothing to Kubernetes", "remove it")
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, depth + 1) for item in node.value]
        return self._mapping(node, depth)

    def _scalar(self, node: Any) -> yaml_scalars.Scalar:
        try:
            if node.tag in _RESOLVED_BY_WORD:
                return yaml_scalars.plain(node.value)
            if node.tag in _TEXT:
                return str(node.value)
            if node.tag == _BINARY:
                return base64.b64decode(node.value, validate=True).decode()
        except (ValueError, binascii.Error) as error:
            raise self._refused(node, str(error), "write a value that JSON can hold") from error
        raise self._refused(node, f"the tag {node.tag} means nothing to Kubernetes", "remove it")

    def _mapping(self, node: Any, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        own: set[str] = set()
        for name_node, value_node in node.value:
            if name_node.tag == _PLAIN and name_node.value == _MERGE:
                merged = self._merged(value_node, depth)
                # As go-yaml v2 has it: fields before the merge give way to it, fields after it do not.
                for name in sorted(own & merged.keys()):
                    self._warn(name_node, f"{name} gives way to the << after it: move the << to the front")
                result.update(merged)
                continue
            name = self._key(name_node)
            if name in own:
                self._warn(name_node, f"{name} is given twice: the last one holds")
            own.add(name)
            result[name] = self._value(value_node, depth + 1)
        return result

    def _warn(self, node: Any, message: str) -> None:
        self.warnings.append(ManifestWarning(self._file, node.start_mark.line + 1, message))

    def _merged(self, node: Any, depth: int) -> dict[str, Any]:
        """What `<<` brings in: one mapping, or several of which the first wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for source in sources:
            value = self._value(source, depth + 1)
            if not isinstance(value, dict):
                raise self._refused(node, "<< merges something that is no mapping", "merge an alias of a mapping")
            merged = {**value, **merged}
        return merged

    def _key(self, node: Any) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._refused(
                node, "a key is a mapping or a list", "use text as key; was a template left unrendered?"
            )
        try:
            return yaml_scalars.key(self._scalar(node))
        except ValueError as error:
            raise self._refused(node, str(error), "give it a name") from error

    def _refused(self, node: Any, problem: str, hint: str) -> ManifestError:
        return ManifestError(self._file, node.start_mark.line + 1, problem, hint)


def _item_lines(root: Any) -> tuple[int, ...]:
    """The lines of the items of a List kind's `items`."""
    if not isinstance(root, yaml.MappingNode):
        return ()
    for name, value in root.value:
        if name.value == "items" and isinstance(value, yaml.SequenceNode):
            return tuple(item.start_mark.line + 1 for item in value.value)
    return ()
