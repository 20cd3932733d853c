"""What a row is: a value with a key."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from services.audit.core.values import value

Json = Any
Key = tuple[Any, ...]


@value
class Row:
    """One row of a projection."""

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]] = ("leaf",)
    KEPT: ClassVar[bool] = True
    GROUP: ClassVar[int] = 1

    @property
    def key(self) -> Key:
        """The values of the identifying fields."""
        return _KEYS[type(self)](self)


@dataclass(frozen=True, slots=True)
class Gone:
    """The effect of removing a row."""

    row: type[Row]
    key: Key


Effect = Row | Gone


class _Keys(dict[type[Row], Callable[[Row], Key]]):
    """How the key of each class is read; made once, because every row is asked for its key several times."""

    def __missing__(self, row: type[Row]) -> Callable[[Row], Key]:
        several: Callable[[Row], Key] = operator.attrgetter(*row.KEY)
        one = operator.attrgetter(row.KEY[0])
        self[row] = several if len(row.KEY) > 1 else lambda found: (one(found),)
        return self[row]


_KEYS = _Keys()
