"""An installation's masking as one value: the key and the rules in force."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from decklog.model import objects
from decklog.model.masking import objects as masking_objects
from decklog.model.masking.key import MaskingKey
from decklog.model.masking.rules import DEFAULT_RULES, MaskingRules
from decklog.model.masking.text import Redactor


@dataclass(frozen=True)
class Masking:
    """How everything of an installation is masked. Calling it masks one object."""

    key: MaskingKey
    rules: MaskingRules = DEFAULT_RULES

    def __call__(self, obj: objects.KubeObject) -> objects.KubeObject:
        """The object as it may be recorded; see `objects.mask`."""
        return masking_objects.mask(obj, self.key, self.rules)

    def redactor(self, known: Iterable[objects.KubeObject] = ()) -> Redactor:
        """What keeps the secrets of these objects out of text about them."""
        return Redactor.of(self.key, self.rules, known)

    def secrets(self, obj: objects.KubeObject) -> frozenset[bytes]:
        """Every value of the object that is masked, decoded: for a redactor alone."""
        return masking_objects.secret_values(obj, self.rules)

    @cached_property
    def digest(self) -> str:
        """Names key and rules in force, in hex; part of the ids of events that hold masked bodies."""
        return hashlib.sha256(f"{self.key.id}\n{self.rules.digest}".encode()).hexdigest()
