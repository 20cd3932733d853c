"""Trees as a whole, for what is proved of them."""

from collections.abc import Iterable

from decklog.model import merkle


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, from nothing."""
    return merkle.Frontier().extend(leaf_hashes).root()
