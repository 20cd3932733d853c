"""Evidence bundles made: from a published log and what its server says of some leaves, one zip file.

The same leaves under the same checkpoint give the same file: fixed times, a fixed order, nothing compressed. What is
read is written at once; in memory are one leaf, the digests, and the names of the files.
"""

import base64
import bisect
import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import IO, Any, NamedTuple

import orjson

from decklog.client import failures
from decklog.model import errors, evidence, payload_file, receipt, selection
from decklog.model.tlog import bundle, checkpoint, note, tiles
from decklog.verifier import anchors, proving, source
from decklog.verifier.remembered import Remembered

MOST_LEAVES = 20_000
"""In one bundle: each has five files, and a zip names all of them at its end."""

_LONG_AGO = -1
_CACHED_BYTES = 64 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_MODE = 0o100644 << 16
TOOLS = ("main.go", "go.mod", "go.sum", "check_proofs.py", "signature.sh")


class Said(NamedTuple):
    """What the server says of a leaf: the projections' line, the event's data as JSON, and the payload."""

    leaf: int
    moment: dict[str, Any] | None
    data: Any
    payload: payload_file.Record


Ask = Callable[[Sequence[int]], Iterator[Said]]
"""Asks for some leaves, in their order. The server records that they were taken."""


class Pinned:
    """A source at one checkpoint, which keeps the tiles that it has read: proofs of neighbours need the same ones."""

    def __init__(self, given: source.Source, signed: bytes) -> None:
        self._given = given
        self._read = Remembered(given.read, lambda data: len(data or b""), _CACHED_BYTES)
        self.signed = signed
        self.tree = proving.tree_of(given, signed)

    @property
    def name(self) -> str:
        """See `source.Source`."""
        return self._given.name

    def read(self, path: str) -> bytes | None:
        """See `source.Source`."""
        return self.signed if path == source.CHECKPOINT else self._read(path)

    def lines(self, path: str) -> Iterator[bytes]:
        """See `source.Source`."""
        return self._given.lines(path)

    def close(self) -> None:
        """See `source.Source`."""
        self._given.close()

    def entries(self, number: int) -> list[bytes]:
        """The entries of a bundle. Raises Disproved where the log lacks them."""
        return proving.entries(self, tiles.bundle_of(number * tiles.WIDTH, self.tree.size))


def pinned(given: source.Source, signed: bytes | None) -> Pinned:
    """A log at its newest checkpoint, or at one that was kept. Raises NotFound where none is published."""
    return Pinned(given, proving.newest(given) if signed is None else signed)


def stretch(log: Pinned, chosen: selection.Selection) -> evidence.Stretch:
    """The leaves that were recorded between two moments: times never decrease, so a few entries tell.

    Leaves that are pruned are the first ones: whoever reads the stretch fails if it begins or ends among them.
    """
    leaves = range(log.tree.size)

    def recorded(leaf: int) -> int:
        try:
            return _recorded_at(log, log.entries(leaf // tiles.WIDTH)[leaf % tiles.WIDTH])
        except source.Pruned:
            return _LONG_AGO

    first = 0 if chosen.since is None else bisect.bisect_left(leaves, chosen.since, key=recorded)
    end = len(leaves) if chosen.until is None else bisect.bisect_right(leaves, chosen.until, key=recorded)
    return evidence.Stretch(first, max(first, end))


def chosen_leaves(log: Pinned, chosen: selection.Selection, where: evidence.Stretch) -> list[int]:
    """The leaves of an application within a stretch. Raises Rejected for more than a bundle holds."""
    found: list[int] = []
    for number in range(where.first // tiles.WIDTH, -(-where.end // tiles.WIDTH)):
        for leaf, entry in enumerate(log.entries(number), start=number * tiles.WIDTH):
            if where.first <= leaf < where.end and chosen.takes(entry):
                found.append(leaf)
        if len(found) > MOST_LEAVES:
            raise failures.Rejected(
                f"more than {MOST_LEAVES} leaves are of {chosen}",
                hint="Narrow --from and --to; `decklog ledger export --payloads` copies everything",
            )
    return found


def read_said(body: IO[bytes]) -> Iterator[Said]:
    """What a server says of leaves, as it arrives. Raises Unavailable where it ends within one."""
    records = payload_file.records(body.read)
    while head := body.read(evidence.LENGTH_BYTES):
        try:
            said = orjson.loads(body.read(int.from_bytes(head, "big")))
            yield Said(said["leaf"], said["moment"], said["data"], next(records))
        except (ValueError, KeyError, TypeError, StopIteration) as error:
            raise failures.Unavailable("what the server says of the leaves ends too early", hint="Try again") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What goes into a bundle: the leaves in ascending order, what they were chosen by, and for a rule its stretch."""

    chosen: selection.Selection
    leaves: Sequence[int]
    stretch: evidence.Stretch | None


def stamped(log: Pinned, wanted: Wanted) -> anchors.Stamped | None:
    """The earliest time stamp that covers all that is wanted, else the newest there is, up to the log's checkpoint.

    Raises Refused where the log's time stamps cannot be read.
    """
    end = max(wanted.leaves[-1] + 1 if wanted.leaves else 0, 0 if wanted.stretch is None else wanted.stretch.end)
    found: anchors.Stamped | None = None
    for line in log.lines(source.TIME_STAMPS):
        try:
            one = anchors.stamped(line)
        except ValueError as error:
            raise errors.Refused(str(error), where=f"{log.name}/{source.TIME_STAMPS}") from error
        if 0 < one.size <= log.tree.size and (found is None or found.size < min(end, one.size)):
            found = one
    return found


def write(
    out: IO[bytes],
    log: Pinned,
    wanted: Wanted,
    ask: Ask,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> None:
    """Write a bundle. `progress` is told of leaves done and leaves in all.

    Raises Disproved where the log does not prove a leaf, Unavailable where the server does not say everything.
    """
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as opened, tempfile.TemporaryFile() as rows:
        made = _Bundle(opened)
        made.add(evidence.CHECKPOINT, log.signed)
        gone = _leaves(made, log, wanted, ask, rows, progress)
        made.stream(evidence.ROWS, evidence.rows_json(_rows(rows)))
        made.stream(evidence.TABLE, evidence.rows_csv(_rows(rows)))
        if wanted.stretch is not None:
            _log(made, log, wanted.stretch)
        stamp = stamped(log, wanted)
        if stamp is not None:
            _time(made, log, stamp)
        size = None if stamp is None else stamp.size
        about = evidence.About(wanted.chosen, len(wanted.leaves), gone, wanted.stretch, size)
        made.add(evidence.MANIFEST, evidence.manifest(log.tree, about))
        for name in TOOLS:
            made.add(evidence.TOOLS + name, resource(name))
        made.add(evidence.VERIFY, guide(log.tree, about))
        made.add(evidence.SUMS, evidence.sums(made.digests))


def guide(tree: checkpoint.Checkpoint, about: evidence.About) -> bytes:
    """VERIFY.md."""
    text = resource(evidence.VERIFY).decode()
    application = about.chosen.application
    missing = "The leaves were named one by one; of others this file says nothing."
    if about.stretch is not None:
        first, end = about.stretch
        missing = _STRETCH.format(application=application, first=first, end=end, last=tree.size - 1)
    return text.format(
        time=_NO_TIME if about.stamped is None else _TIME.format(size=about.stamped),
        words=f"Evidence from a Decklog ledger: {about.chosen}.",
        origin=tree.origin,
        size=tree.size,
        root=base64.b64encode(tree.root).decode(),
        completeness=evidence.completeness(tree, about.chosen, about.leaves, about.stretch),
        missing=missing,
    ).encode()


_STRETCH = """\
`log/` holds the receipts of all leaves of the stretch and of the one before and behind it, whatever they are of, as c2sp.org/tlog-tiles
has them, with the hashes up to the root. Go proves each of these leaves, from {first} up to {end}, which is not included, and the two
beside them, and prints it behind its number; if a single one is missing, it says so and fails. The application's are these:

    (cd tools && go run . "$VKEY" ../log {first} {end}) >proved
    awk '/"key":"([^"@\\/][^"\\/]*)?\\/{application}","kind"/ && (!/[".]fleet[.][^".]*"}},"key"/ || /"key":"application\\//) {{print $1}}' proved
    ls leaves

The two lists agree but for the leaf before and the one behind the stretch. Those show that it is all between the two moments, since
`recorded_at` (in microseconds) never decreases: the first line of `proved` was recorded before the first moment, unless it is leaf 0 of
the log, and the last one after the second, unless it is leaf {last}, with which the checkpoint ends."""  # noqa: E501


_NO_TIME = "No authority had stamped a checkpoint of this log with the time."
_TIME = """\
`time/checkpoint` is the log's checkpoint of {size} leaves, which an authority has stamped with the time (RFC 3161).
`tsa-ca.pem` holds the certificates of the authority, from somebody whom you trust:

    openssl ts -verify -data time/checkpoint -in time/token.tsr -CAfile tsa-ca.pem
    openssl ts -reply -in time/token.tsr -text

The leaves below {size} existed then, since the tree of `checkpoint` begins with the one of `time/checkpoint`:

    (cd tools && go run . "$VKEY" ../time/consistency)

If the log's key was replaced in between, put the key that signed `time/checkpoint` behind it, as well."""


def _time(made: "_Bundle", log: Pinned, found: anchors.Stamped) -> None:
    """The time stamp, and that the tree goes on from what was stamped."""
    try:
        old = checkpoint.parse(note.parse(found.note).text)
    except ValueError as error:
        raise proving.Disproved(f"what was stamped is no checkpoint: {error}", where=log.name) from error
    made.add(evidence.STAMPED, found.note)
    made.add(evidence.TOKEN, found.token)
    made.add(evidence.CONSISTENCY, evidence.consistency(old.size, proving.growth(log, old, log.tree)))


def _leaves(
    made: "_Bundle", log: Pinned, wanted: Wanted, ask: Ask, rows: IO[bytes], progress: Callable[[int, int], None]
) -> list[int]:
    """Write the files of each leaf; those that have no value."""
    gone: list[int] = []
    answered = ask(wanted.leaves) if wanted.leaves else iter(())
    for done, leaf in enumerate(wanted.leaves, start=1):
        said = next(answered, None)
        if said is None or said.leaf != leaf:
            raise failures.Unavailable(f"the server does not say anything of leaf {leaf}", hint="Try again")
        proof = proving.inclusion(log, leaf)
        entry, (state, salted, headers), where = proof.extra or b"", said.payload, evidence.folder(leaf)
        made.add(where + evidence.RECEIPT, entry)
        made.add(where + evidence.PROOF, proof.to_text().encode())
        made.add(where + evidence.HEADERS, evidence.headers_json(entry, headers))
        if salted:
            made.add(where + evidence.SALT, salted[: receipt.SALT_BYTES])
        if state == payload_file.VALUE:
            made.add(where + evidence.VALUE, salted[receipt.SALT_BYTES :])
        else:
            gone.append(leaf)
        rows.write(orjson.dumps(evidence.row(leaf, entry, said.moment, said.data)) + b"\n")
        progress(done, len(wanted.leaves))
    return gone


def _log(made: "_Bundle", log: Pinned, where: evidence.Stretch) -> None:
    """The part of the log that shows that nothing is missing."""
    hashes, groups = evidence.covering(log.tree.size, where)
    for tile in hashes:
        found, data = proving.whole_or_partial(log, tile)
        made.add(evidence.LOG + found.path, data)
    for group in groups:
        made.add(evidence.LOG + group.path, bundle.encode(log.entries(group.number)))


def _rows(kept: IO[bytes]) -> Iterator[evidence.Row]:
    kept.seek(0)
    for line in kept:
        yield orjson.loads(line)


def _recorded_at(log: Pinned, entry: bytes) -> int:
    try:
        return selection.recorded_at(entry)
    except receipt.Malformed as error:
        raise proving.Disproved(f"an entry is no receipt: {error}", where=log.name) from error


def resource(name: str) -> bytes:
    """A file that is the same in every bundle."""
    stored = resources.files("decklog.verifier") / "evidence_files"
    return (stored / (f"{name}.txt" if name.endswith(".py") else name)).read_bytes()


@dataclass(slots=True)
class _Bundle:
    """The zip file in the making, with the digests of what is in it."""

    _zip: zipfile.ZipFile
    digests: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, data: bytes) -> None:
        """A file."""
        self._zip.writestr(_info(name), data)
        self.digests.append((name, hashlib.sha256(data).hexdigest()))

    def stream(self, name: str, parts: Iterable[bytes]) -> None:
        """A file that is made piece by piece."""
        digest = hashlib.sha256()
        with tempfile.TemporaryFile() as whole:
            for part in parts:
                digest.update(part)
                whole.write(part)
            info = _info(name)
            info.file_size = whole.tell()
            whole.seek(0)
            with self._zip.open(info, "w") as target:
                shutil.copyfileobj(whole, target)
        self.digests.append((name, digest.hexdigest()))


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system, info.external_attr = _UNIX, _MODE
    return info
