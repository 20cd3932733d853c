"""What was read last, as many bytes of it as may be kept: neighbours often need the same files."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_EACH_BYTES = 256
"""What an answer takes beside its bytes, so that very many empty ones are not kept, either."""


class Remembered(Generic[K, V]):
    """Asks, and remembers the answers that were wanted last. `size`: of an answer, in bytes; `most`: of all of them."""

    def __init__(self, ask: Callable[[K], V], size: Callable[[V], int], most: int) -> None:
        self._ask = ask
        self._size = size
        self._most = most
        self._held: dict[K, V] = {}
        self._bytes = 0

    def __call__(self, key: K) -> V:
        """The answer. Raises what `ask` raises."""
        if key in self._held:
            found = self._held[key] = self._held.pop(key)
            return found
        found = self._held[key] = self._ask(key)
        self._bytes += self._size(found) + _EACH_BYTES
        while self._bytes > self._most and len(self._held) > 1:
            self._bytes -= self._size(self._held.pop(next(iter(self._held)))) + _EACH_BYTES
        return found
