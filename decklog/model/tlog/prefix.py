"""The beginning of a tile or a bundle: a partial one is the beginning of every larger one of its number."""

from decklog.model import merkle
from decklog.model.tlog import bundle, tiles


def of(wanted: tiles.Tile | tiles.Bundle, larger: bytes) -> bytes:
    """The bytes of a tile or bundle, from those of one that is as wide or wider. Raises ValueError for less."""
    if isinstance(wanted, tiles.Bundle):
        return bundle.prefix(larger, wanted.width)
    size = wanted.width * merkle.HASH_SIZE
    if len(larger) < size:
        raise ValueError(f"a tile of {len(larger)} bytes has not the {size} of {wanted.path}")
    return larger[:size]
