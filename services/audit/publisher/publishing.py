"""One climb from sequenced to served: integrate what is new, sign the tree, store the checkpoint; then it is served."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

import asyncpg

from decklog.adapters.postgres import ledger as postgres
from decklog.model import errors, failpoints, merkle
from decklog.model.tlog import checkpoint, edge, note, proofs, tile_hashes, tiles
from services.audit.core import integration, publication
from services.audit.core import recent as recents
from services.audit.publisher import folder as folders
from services.audit.publisher import records, ring, tallying, witnesses

CHUNK = 16 * tiles.WIDTH
"""Entries that are integrated at a stretch, in a thread: catching up must not keep the sequencer waiting."""


async def standing(connection: asyncpg.Connection, folder: folders.LogFolder) -> publication.Standing:
    """What there is in the database and in the log's folder. Raises Transient or Terminal."""
    served = records.parse(folder.read(folders.CHECKPOINT), str(folder.path / folders.CHECKPOINT))
    at_served = None if served is None else await records.of_size(connection, served.size)
    return publication.Standing(
        size=(await records.head(connection)).size,
        stored=records.parse(await records.newest(connection), "ledger.checkpoint"),
        served=served,
        at_served=records.parse(at_served, "ledger.checkpoint"),
    )


def insist(problem: publication.Problem | None) -> None:
    """Raise Refused for a reason not to go on."""
    if problem is not None:
        raise records.Refused(problem.text, where="publisher", hint=problem.hint)


class Publishing:
    """Publishes one log while the connection lives. Every method raises Transient or Terminal; nothing is half done."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        folder: folders.LogFolder,
        signers: ring.Ring,
        failpoint: failpoints.Failpoint,
        recent: recents.Recent | None = None,
    ) -> None:
        self._connection = connection
        self._recent = recents.Recent() if recent is None else recent
        self._folder = folder
        self._signers = signers
        self._failpoint = failpoint
        self._tallying = tallying.Tallying(connection, folder)
        self._edge = edge.Edge()
        self._signed = checkpoint.Checkpoint(signers.name, 0, merkle.EMPTY_ROOT)
        self._note = b""
        self._served = 0
        self._lacking: list[str] = []

    @property
    def lacking(self) -> list[str]:
        """Verifier keys that should have signed the newest checkpoint, too, and are not held."""
        return self._lacking

    @property
    def size(self) -> int:
        """Leaves in the newest signed checkpoint."""
        return self._signed.size

    @property
    def served(self) -> int:
        """Leaves in the checkpoint that is served."""
        return self._served

    @property
    def newest(self) -> witnesses.Offer | None:
        """The newest signed checkpoint, if there is one."""
        return witnesses.Offer(self._signed, note.parse(self._note)) if self._note else None

    async def resume(self) -> None:
        """Take up where the log stands: look whether it may go on, and with which tiles."""
        found = await standing(self._connection, self._folder)
        insist(publication.problem(found))
        renamed = publication.origin_problem(found.stored, self._signers.name)
        if renamed is not None:
            raise ring.Unfit(renamed.text, where="publisher", hint=renamed.hint)
        signed = await records.newest(self._connection)
        if found.stored is None or signed is None:
            return
        self._signers.check(found.stored, signed, await postgres.read_rotations(self._connection))
        self._signed, self._note = found.stored, signed
        self._served = found.served.size if found.served else 0
        self._edge = await self._recall()

    async def step(self) -> bool:
        """Sign the tree as it stands, and store its checkpoint; False if it already was."""
        head = await records.head(self._connection)
        if head.size < self.size:
            found = await standing(self._connection, self._folder)
            insist(publication.problem(found))
        if head.size == self.size:
            return False
        reached = await self._integrate(self._edge, head)
        if reached.tree(head.size).root() != head.root:
            text = f"the first {head.size} leaves do not give the root that the head row has"
            raise records.Refused(text, where="ledger.entry", hint="Run `decklog admin audit-db`")
        await self._sign(checkpoint.Checkpoint(self._signers.name, head.size, head.root))
        self._edge = reached.edge
        return True

    async def serve(self, lines: Iterable[str] = ()) -> None:
        """Serve the newest signed checkpoint, with these signature lines of others behind the log's own.

        What is served was counted: the tally takes its place first.
        """
        if not self._note:
            return
        signed = self._note + "".join(f"{line}\n" for line in lines).encode()
        files = await self._tallying.due()
        if await asyncio.to_thread(self._folder.read, folders.CHECKPOINT) == signed:
            if files:
                await asyncio.to_thread(self._folder.write, files)
            return
        await asyncio.to_thread(self._folder.write, [*files, integration.File(folders.CHECKPOINT, signed)])
        before, self._served = self._served, self._signed.size
        await asyncio.to_thread(self._folder.remove, integration.outgrown(before, self._served))

    async def _sign(self, tree: checkpoint.Checkpoint) -> None:
        rotations = await postgres.read_rotations(self._connection)
        signed = self._signers.sign(tree, rotations)
        self._lacking = self._signers.lacks(rotations, tree.size)
        self._failpoint("log.before_store")
        await records.store(self._connection, tree, signed)
        self._failpoint("log.after_store")
        self._signed, self._note = tree, signed

    async def _integrate(self, start: edge.Edge, head: records.Head) -> integration.Integrated:
        """Make the files of a tree durable, from a number of whole tiles on."""
        reached = integration.Integrated(start, ())
        while True:
            first = reached.edge.size
            found = await self._entries(first, min(first + CHUNK, head.size), head)
            if first <= self.size <= first + len(found):
                self._check_continues(reached.edge, found)
            reached = await asyncio.to_thread(self._write, reached.edge, found)
            await self._forget(found, head.size)
            if reached.size == head.size:
                break
        await asyncio.to_thread(self._folder.write, integration.partial(reached))
        return reached

    async def _entries(self, first: int, end: int, head: records.Head) -> list[integration.Entry]:
        recent = self._recent.entries(first, end, size=head.size, root=head.root)
        return await records.entries(self._connection, first, end) if recent is None else recent

    def _write(self, start: edge.Edge, entries: list[integration.Entry]) -> integration.Integrated:
        reached, files = integration.integrate(start, entries)
        self._folder.write(files)
        return reached

    async def _forget(self, entries: list[integration.Entry], size: int) -> None:
        """Erase the salts that erasures among these leaves name, from the files that were written before them.

        Before the checkpoint that covers the erasure: a crash in between does it again. Up to the size of the tree that
        is made now, not of the signed one: whoever crashed before he signed has left salts of more leaves.
        """
        for entry in entries:
            if not entry.erases:
                continue
            for group in integration.bundles_with(entry.erases, size):
                first = group.number * tiles.WIDTH
                found = await records.entries(self._connection, first, first + group.width)
                kept = integration.salts(group, found)
                await asyncio.to_thread(self._folder.write, [kept])
                await asyncio.to_thread(self._folder.remove_others, integration.partial_salts(group.number), kept.path)

    def _check_continues(self, start: edge.Edge, entries: list[integration.Entry]) -> None:
        """The leaves below the newest checkpoint must still be those that were signed."""
        below, _ = integration.integrate(start, entries[: self.size - start.size])
        if below.tree(self.size).root() != self._signed.root:
            raise _Diverged(
                f"the first {self.size} leaves are not those whose checkpoint was published",
                where="ledger.entry",
                hint="Run `decklog admin audit-db`, and restore what was changed from a backup; nothing more is signed",
            )

    async def _recall(self) -> edge.Edge:
        """The whole tiles at the published size: from the log's files, or made again where they are lost or damaged.

        So are the files of its partial tiles: in a folder that was put back from an older copy they are not there.
        """
        try:
            read = hashes(self._folder, self.size)
            found = edge.at(self.size // tiles.WIDTH, read)
            rest = await records.entries(self._connection, found.size, self.size)
            self._check_continues(found, rest)
        except (Missing, _Diverged, ValueError):
            return (await self._integrate(edge.Edge(), records.Head(self.size, self._signed.root))).edge
        partial = integration.partial(integration.Integrated(found, tuple(rest)))
        lost = [file for file in partial if self._folder.read(file.path) != file.data]
        if lost:
            await asyncio.to_thread(self._folder.write, lost)
        return found


def hashes(folder: folders.LogFolder, size: int) -> proofs.ReadHashes:
    """Hashes of the tree of that size, from its tiles. The reader raises Missing, and ValueError for a wrong tile."""

    def tile(wanted: tiles.Tile) -> bytes:
        for path in (wanted.path, wanted.full.path):
            data = folder.read(f"{integration.PUBLIC}/{path}")
            if data is not None:
                return data[: wanted.width * merkle.HASH_SIZE]
        raise Missing(wanted.path)

    return tile_hashes.reader(size, tile)


async def root(folder: folders.LogFolder, size: int, tree: checkpoint.Checkpoint) -> bytes:
    """The root of the first `size` leaves of a signed tree. Raises Transient for lost tiles."""
    if size == 0:
        return merkle.EMPTY_ROOT
    return (await asyncio.to_thread(_beginning, folder, size, tree)).root


async def proof(folder: folders.LogFolder, old: int, tree: checkpoint.Checkpoint) -> list[bytes]:
    """The proof that the tree of `old` leaves is the beginning of a signed one. Raises Transient for lost tiles."""
    return (await asyncio.to_thread(_beginning, folder, old, tree)).proof


class _Beginning(NamedTuple):
    """The first leaves of a signed tree: their root, and the proof that they are its beginning."""

    root: bytes
    proof: list[bytes]


def _beginning(folder: folders.LogFolder, old: int, tree: checkpoint.Checkpoint) -> _Beginning:
    read = hashes(folder, tree.size)
    try:
        found = _Beginning(proofs.root(old, read), proofs.consistency(old, tree.size, read))
        # Damaged tiles must not look like a fork, to us or to whoever gets the proof.
        proofs.verify_consistency(found.proof, old=old, old_root=found.root, new=tree.size, new_root=tree.root)
    except (Missing, ValueError) as error:
        raise errors.Transient(
            f"the log's tiles do not give the proof from {old} to {tree.size} leaves: {error}",
            where=str(folder.path),
            hint="They are made again at the next start",
        ) from error
    return found


class Missing(errors.DecklogError):
    """A tile is not in the folder."""


class _Diverged(records.Refused):
    """The database's leaves are not those that were published."""
