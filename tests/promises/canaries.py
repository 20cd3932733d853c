"""Canaries: secrets planted for a test, each of them nowhere else, and where they sing."""

import base64
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

TAIL = ' "é\\\n+/ end'
"""What escaping changes: a redactor has to know the value in every form in which somebody may quote it."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A secret. `plain` is a word of letters and digits that stands in no other value; `value` goes on after it."""

    name: str
    plain: str

    @property
    def value(self) -> str:
        """The whole secret where anything may stand."""
        return self.plain + TAIL

    @property
    def encoded(self) -> str:
        """The whole secret in base64, as a Secret's `data` has it."""
        return base64.b64encode(self.value.encode()).decode()


@dataclass(frozen=True, slots=True)
class Sighting:
    """A canary where it must not be."""

    canary: str
    form: str
    place: str

    def __str__(self) -> str:
        return f"{self.canary} leaves {self.form} in {self.place}"


class Cage:
    """All canaries of a test."""

    def __init__(self) -> None:
        self._canaries: dict[str, Canary] = {}

    def __getattr__(self, name: str) -> Canary:
        """The canary of that name; the first time, a new one."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self._canaries.setdefault(name, Canary(name, f"canary{name.replace('_', '')}{secrets.token_hex(8)}"))

    def sightings(self, texts: Iterable[tuple[str, bytes]]) -> Iterator[Sighting]:
        """Every canary in every text, by the text's name: as it is, escaped, in base64 or in hex, whatever the case."""
        forms = {form: (one.name, kind) for one in self._canaries.values() for kind, form in _forms(one.plain)}
        pattern = re.compile(b"|".join(re.escape(form) for form in forms))
        folded = re.compile(b"|".join(re.escape(form.lower()) for form in forms))
        for place, text in texts:
            if folded.search(text.lower()) is None:
                continue
            for found in {*pattern.findall(text), *pattern.findall(text.lower())}:
                name, kind = forms[found]
                yield Sighting(name, kind, place)


def _forms(plain: str) -> Iterator[tuple[str, bytes]]:
    """How a word of letters and digits may stand somewhere. JSON, URLs and quotes leave it as it is."""
    word = plain.encode()
    yield "as it is", word
    yield "in hex", word.hex().encode()
    for encoded in _base64(word):
        yield "in base64", encoded
        yield "in hex of base64", encoded.hex().encode()
        yield from (("in base64 of base64", twice) for twice in _base64(encoded))


def _base64(word: bytes) -> Iterator[bytes]:
    """At each of the three places in a group, without the digits at either end that depend on the neighbours."""
    for shift in range(3):
        yield base64.b64encode(b"\0" * shift + word)[(4 if shift else 0) : -4]
