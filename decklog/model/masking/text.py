"""Masking of free text: error messages, diffs, a renderer's output.

What others write about an object may quote its values. Every value known to be secret is replaced wherever it stands,
raw, as base64, or escaped inside JSON; what an API server quotes out of a Secret is replaced even if unknown.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Self

import orjson

from decklog.model import objects
from decklog.model.masking import key as masking_key
from decklog.model.masking import objects as masking_objects
from decklog.model.masking import rules as masking_rules

# Shorter values would take ordinary words with them, and hardly are secret.
SHORTEST = 4

# How API machinery quotes a value it refuses: field.Error, structured-merge-diff, encoding/json.
_QUOTED = re.compile(
    r"""(?P<before>(?:Invalid|Unsupported|Duplicate|unsupported)\ value:\ |Value:|cannot\ (?:parse|unmarshal)\ )"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|`[^`]*`|[^\s,}"`]+)""",
    re.VERBOSE,
)


class Redactor:
    """Replaces the secrets of a set of objects in text about them. Built once per set, used for each message."""

    def __init__(self, key: masking_key.MaskingKey, secrets: Iterable[bytes]) -> None:
        self._key = key
        self._forms = {form: secret for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    @classmethod
    def of(
        cls, key: masking_key.MaskingKey, rules: masking_rules.MaskingRules, known: Iterable[objects.KubeObject]
    ) -> Self:
        """A redactor that knows every secret value of these objects."""
        return cls(key, {secret for obj in known for secret in masking_objects.secret_values(obj, rules)})

    def knowing(self, secrets: Iterable[bytes]) -> Self:
        """The same, with more secrets to keep out: those of the live object that an error is about."""
        return type(self)(self._key, {*self._forms.values(), *secrets})

    def redact(self, text: str) -> str:
        """The text with each known secret replaced by its masked form."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._key.mask(self._forms[found[0]]), text)

    def redact_about(self, subject: objects.ObjectKey, text: str) -> str:
        """The text an API server wrote about one object; of a Secret, every quoted value is replaced as well."""
        redacted = self.redact(text)
        if (subject.group, subject.kind) != ("", "Secret"):
            return redacted
        return _QUOTED.sub(self._quoted, redacted)

    def _quoted(self, found: re.Match[str]) -> str:
        inner = found["value"].strip('"`')
        if masking_key.is_masked(inner):
            return found[0]
        return found["before"] + self._key.mask(inner.encode("utf-8", "surrogatepass"))


def _forms(secret: bytes) -> Iterator[str]:
    """How a secret may appear: raw, inside JSON or Go quotes, as base64 of either alphabet."""
    text = secret.decode("utf-8", "replace")
    if "\ufffd" not in text:
        yield text
        yield orjson.dumps(text).decode()[1:-1]
        if len(stripped := text.strip()) >= SHORTEST:
            yield stripped
        yield from (line.strip() for line in text.splitlines() if len(line.strip()) >= SHORTEST * 2)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(secret).decode()
        yield encoded
        yield encoded.rstrip("=")
