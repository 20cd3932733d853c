"""A published log as a whole: is it, byte for byte, the log that its newest checkpoint was signed for?"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from decklog.client import failures
from decklog.model import merkle
from decklog.model.tlog import checkpoint, edge, note, policy, tile_hashes, tiles, time_stamp
from decklog.verifier import links, rotated, source, surplus
from decklog.verifier.anchors import Anchors
from decklog.verifier.completeness import Completeness
from decklog.verifier.entries import Entries
from decklog.verifier.finding import Enough, Finding, collect
from decklog.verifier.history import History
from decklog.verifier.originals import Originals
from decklog.verifier.payloads import Open, Payloads
from decklog.verifier.tree import Reading


@dataclass(slots=True)
class Verdict:
    """What was verified, and what is wrong. `checkpoints`: how many that were signed before fit in."""

    tree: checkpoint.Checkpoint | None = None
    first: int = 0
    """The first leaf that was looked at."""
    leaves: int = 0
    checkpoints: int = 0
    passed: int = 0
    """Checkpoints that were signed before the first leaf that was looked at, which nobody judged."""
    payloads: Payloads | None = None
    """What was found of the payloads; None where there were none to be looked at."""
    completeness: Completeness | None = None
    """What the leaves cover; None where that was not asked for."""
    findings: list[Finding] = field(default_factory=list)
    anchors: Anchors | None = None
    """What an authority vouched for; None where nobody asked."""
    holes: list[Finding] = field(default_factory=list)
    """What is missing, though what there is may be what was signed."""
    witnessed: policy.Witnessed | None = None
    """Who cosigned the newest checkpoint; None where it was not believed."""
    signers: rotated.Signers | None = None
    """Who signed it at which size; None where nothing was read."""
    beside: surplus.Beside = field(default_factory=surplus.Beside)
    """Tiles of a copy that the signed tree does not have."""
    complete: bool = True
    """False when it stopped at the number of findings that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How much is looked at: `receipts` reads every entry, `payloads` opens files of them, `most` findings are enough.

    `tiles` are the paths of the tiles of a copy: those that the signed tree does not need are looked at, too.

    `first` is the leaf from which on it is looked at, with those of its tile. `completeness` also asks whether any leaf
    is missing, which takes `receipts` and all leaves.
    """

    first: int = 0
    receipts: bool = True
    payloads: Open | None = None
    tiles: Iterable[str] = ()
    completeness: bool = False
    authority: time_stamp.Authority | None = None
    """Whose time stamps are verified; None if nobody's are."""
    most: int = 100


def verify(
    given: source.Source,
    trusted: policy.Policy,
    wanted: Wanted,
    progress: Callable[[int, int], None] = lambda _done, _size: None,
) -> Verdict:
    """Verify a log. `progress` is told of leaves done and leaves in all.

    Raises NotFound where there is no checkpoint, Unavailable or Unauthorised where the log cannot be read.
    """
    verdict = Verdict()
    report, miss = collect(verdict.findings, wanted.most), collect(verdict.holes, wanted.most)
    # Read before the newest one: a log that grows meanwhile has none then that is larger than it.
    earlier = _begun(given.lines(source.CHECKPOINTS))
    stamped = iter(()) if wanted.authority is None else _begun(given.lines(source.TIME_STAMPS))
    try:
        newest = _newest(given, trusted, report)
        if newest is not None:
            tree = newest.tree
            verdict.tree, verdict.witnessed = tree, policy.witnessed(trusted, newest.note)
            verdict.first = _first(wanted, tree)
            before = _before(given, verdict.first, tree.size)
            signers = rotated.Signers(given, trusted, tree, report, verdict.first)
            histories = [History(earlier, signers, tree, report, before=before)]
            if wanted.completeness and wanted.receipts:
                verdict.completeness = Completeness(miss, wanted.payloads)
            if wanted.authority is not None:
                verdict.anchors = Anchors(wanted.authority, report)
                stamps = verdict.anchors.checked(stamped)
                histories.append(History(stamps, signers, tree, report, path=source.TIME_STAMPS, before=before))
            verdict.signers = signers
            _verify_tree(Reading(given, report), tree, histories, wanted, verdict, progress)
            verdict.beside = surplus.check(given, wanted.tiles, tree.size, report)
            signers.end(newest.note, tree)
            if verdict.anchors is not None:
                verdict.anchors.end()
    except Enough:
        verdict.complete = False
    return verdict


def _newest(given: source.Source, trusted: policy.Policy, report: Callable[[Finding], None]) -> links.Signed | None:
    data = given.read(source.CHECKPOINT)
    if data is None:
        raise failures.NotFound(
            "there is no log: no file `checkpoint`",
            where=given.name,
            hint="Name a folder that `decklog ledger export` made, the URL of a log, a .tlog-proof file, or evidence",
        )
    try:
        trusted.open(data)
        return links.read(data)
    except (note.Malformed, checkpoint.Malformed, note.Unverified) as error:
        why = "" if isinstance(error, policy.NoQuorum) else links.explained(given, trusted, data)
        report(Finding(path=source.CHECKPOINT, problem="; ".join(filter(None, [str(error), why]))))
        return None


def _first(wanted: Wanted, tree: checkpoint.Checkpoint) -> int:
    """The first leaf of the tile with which it begins. Raises Misconfigured for a leaf that the log does not have."""
    if wanted.first and wanted.first >= tree.size:
        raise failures.Misconfigured(
            f"there is no leaf {wanted.first}: the log has {tree.size}", where="--from", hint="Name a smaller one"
        )
    return wanted.first // tiles.WIDTH * tiles.WIDTH


def _before(given: source.Source, first: int, size: int) -> edge.Edge | None:
    """The tree of the leaves before, which may be pruned: its hashes stand in tiles that are not. None for no leaves.

    None, too, where those tiles are damaged: whoever reads the leaves under them says so.
    """

    def read(tile: tiles.Tile) -> bytes:
        found = source.read_kept_tile(given, tile)
        return b"" if found is None else found[1][: tile.width * merkle.HASH_SIZE]

    try:
        return edge.at(first // tiles.WIDTH, tile_hashes.reader(size, read)) if first else None
    except ValueError:
        return None


def _begun(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The same lines, of which the first was read now."""
    first = next(lines, None)
    return iter(()) if first is None else itertools.chain([first], lines)


def _verify_tree(
    reading: Reading,
    tree: checkpoint.Checkpoint,
    histories: Sequence[History],
    wanted: Wanted,
    verdict: Verdict,
    progress: Callable[[int, int], None],
) -> None:
    if wanted.payloads is not None and wanted.receipts:
        verdict.payloads = Payloads(wanted.payloads, reading.report)
    originals = Originals(reading, tree, verdict.first)
    entries = Entries(reading, wanted.receipts, verdict.payloads, verdict.completeness, verdict.signers, originals)
    for leaves in reading.leaves(tree.size, tree.root, (verdict.first, tree.size)):
        entries.check(leaves)
        for history in histories:
            history.leaves(leaves)
        verdict.leaves += leaves.tile.width
        verdict.checkpoints, verdict.passed = histories[0].count, histories[0].passed
        progress(verdict.leaves, tree.size - verdict.first)
    for history in histories:
        history.end()
    if verdict.payloads is not None:
        verdict.payloads.end()
