"""Tiles in a copy that its checkpoint does not need: those of earlier sizes, and what is there besides.

A partial tile of an earlier checkpoint stays where it was copied to, for whoever has that checkpoint. It must be the
beginning of the tile that took its place, which was verified.
"""

from collections.abc import Iterable
from typing import NamedTuple

from decklog.model.tlog import prefix, tiles
from decklog.verifier import source
from decklog.verifier.finding import Finding, Report


class Beside(NamedTuple):
    """How many tiles are there that no tree of this size has, and the path of the first."""

    number: int = 0
    first: str = ""


def check(given: source.Source, names: Iterable[str], size: int, report: Report) -> Beside:
    """Report earlier tiles that are not what they are the beginning of; `names` are the paths of all that are there."""
    beside = Beside()
    for name in names:
        try:
            tile = tiles.parse(name)
        except ValueError:
            continue  # a file of somebody's, which no program takes for a tile
        now = _now(tile, size)
        if now is None:
            beside = Beside(beside.number + 1, min(beside.first or name, name))
        elif now != tile:
            _compare(given, tile, now, report)
    return beside


def _now(tile: tiles.Tile | tiles.Bundle, size: int) -> tiles.Tile | tiles.Bundle | None:
    """The same tile in a tree of this size; None where that has none that is as wide."""
    level = tile.level if isinstance(tile, tiles.Tile) else 0
    width = min(tiles.WIDTH, (size >> tiles.HEIGHT * level) - tile.number * tiles.WIDTH)
    return tile._replace(width=width) if width >= tile.width else None


def _compare(
    given: source.Source, tile: tiles.Tile | tiles.Bundle, now: tiles.Tile | tiles.Bundle, report: Report
) -> None:
    wider, found = source.read_kept_tile(given, now), source.read_kept(given, tile.path)
    if wider is None or found is None:
        return  # pruned, or taken away meanwhile
    one, data = wider
    try:
        same = prefix.of(tile, data) == found
    except ValueError:
        return  # the tile that took its place is damaged, which was told
    if not same:
        report(Finding(path=tile.path, problem=f"it is not the beginning of {one.path}, which took its place"))
