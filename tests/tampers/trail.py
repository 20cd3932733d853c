"""The trail that is tampered with: leaves from the real sequencer, published in steps, cosigned by a witness.

It stands in a database, in the publisher's folder, in an export with every checkpoint that was signed, and in a
witness's store. Whoever tampers gets copies.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from decklog.adapters import system
from decklog.adapters.memory import stream as memory_stream
from decklog.adapters.postgres import ledger as postgres
from decklog.model import merkle, payload_file
from decklog.model.tlog import checkpoint, keys, note, proofs, tile_hashes, tiles, witnessing
from decklog.verifier import source
from decklog.witness import keeping, witness
from services.audit.core import integration
from services.audit.projector import projecting, tables
from tests import published_log, sequenced, trees
from tests import stack as stacks

STEPS = (0.4, 0.7, 1.0)
"""Shares of the leaves at which a checkpoint was published; the second one is yesterday's."""
WITNESS = "witness.example/1"
SIGNER = published_log.SIGNER
NOW = 1_800_000_000


@dataclass(frozen=True, slots=True)
class Trail:
    """Where the three copies are. `databases`: one per step; `exports`: the public files at each step."""

    sizes: Sequence[int]
    databases: Sequence[str]
    exports: Sequence[Path]
    payloads: Path
    witness: Path
    log: Path
    """The publisher's own folder, as it is now."""


async def make(stack: stacks.Stack, template: str, folder: Path, count: int) -> Trail:
    """Record and publish so many leaves."""
    sizes = [int(count * share) for share in STEPS]
    cluster = memory_stream.MemoryCluster(system.SystemClock())
    sequenced.make_topics(cluster)
    keeping.make(folder / "witness", WITNESS, (b"w" * 32, b"x" * 32))
    uri = await stacks.create_database(stack, template)
    log = published_log.Log(uri, folder / "log")
    databases, exports = [], []
    for size in sizes:
        await _sequence(uri, cluster, size - log.size, size)
        log.size = size
        await log.publish()
        exports.append(await _export(log, folder / f"export-{size}"))
        _cosign(folder / "witness", exports[-1])
        databases.append(await stacks.create_database(stack, uri.rpartition("/")[2].partition("?")[0]))
    await _payloads(uri, exports[-1])
    await stacks.drop_database(stack, uri)
    return Trail(sizes, databases, exports, exports[-1] / payload_file.FOLDER, folder / "witness", folder / "log")


async def _sequence(uri: str, cluster: memory_stream.MemoryCluster, more: int, size: int) -> None:
    """Send so many events, and sequence until there are `size` leaves."""
    producer = memory_stream.MemoryProducer(cluster)
    traced = (f"00-{1:032x}-{number + 1:016x}-01" for number in range(size - more, size))
    await producer.send_all([sequenced.message(sequenced.event()._replace(traceparent=one)) for one in traced])
    parts = sequenced.sequencer_parts(cluster, connect_ledger=lambda: postgres.PostgresWriter.connect(uri))
    await sequenced.until(parts, uri, size, seconds=300)


async def _export(log: published_log.Log, target: Path) -> Path:
    """The public files, and every checkpoint that was signed."""
    shutil.copytree(log.path / integration.PUBLIC, target)
    rows = await log.execute("SELECT size, note FROM ledger.checkpoint ORDER BY size")
    lines = [json.dumps({"size": row["size"], "note": row["note"].decode()}) + "\n" for row in rows]
    (target / source.CHECKPOINTS).write_text("".join(lines))
    return target


async def _payloads(uri: str, target: Path) -> None:
    """The payload files beside the newest export."""
    connection = await asyncpg.connect(uri)
    rows = await connection.fetch("SELECT salt, value, headers FROM ledger.payload ORDER BY leaf")
    await connection.close()
    for group in tiles.bundles_of_size(len(rows)):
        first = group.number * tiles.WIDTH
        records = [
            payload_file.encode(row["salt"], row["value"], row["headers"], committed=True)
            for row in rows[first : first + group.width]
        ]
        path = target / payload_file.path(group)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(records))


def _cosign(folder: Path, export: Path) -> None:
    answer = ask(folder, export)
    assert answer == "", answer


def ask(folder: Path, export: Path) -> str:
    """Show the witness the checkpoint of a log, as its publisher would: empty if it cosigns, else its refusal."""
    kept = witness.Witness([SIGNER.verifier], keeping.load(folder), keeping.Store(folder), lambda: NOW)
    shown = kept.checkpoint(witnessing.origin_hash(SIGNER.name))
    old = 0 if shown is None else checkpoint.parse(note.parse(shown).text).size
    signed = note.parse((export / source.CHECKPOINT).read_bytes())
    new = checkpoint.parse(signed.text).size

    def read(tile: tiles.Tile) -> bytes:
        return (export / tile.path).read_bytes()

    proof = proofs.consistency(old, new, tile_hashes.reader(new, read)) if 0 < old < new else []
    old = min(old, new)  # a larger one would be no request of the protocol: a log that was cut does not say so
    try:
        kept.add_checkpoint(witnessing.request(old, proof, signed).to_bytes())
    except witnessing.Refusal as refusal:
        return f"{refusal.status} {refusal}"
    return ""


@dataclass(slots=True)
class Copies:
    """Copies for one act. A database is copied when it is asked for."""

    trail: Trail
    stack: stacks.Stack
    folder: Path
    export: Path = field(init=False)
    witness: Path = field(init=False)
    database: str = ""
    projected: bool = False

    def __post_init__(self) -> None:
        """Copy the newest export, which shares its files with the original until one is replaced, and the witness."""
        self.export = self.folder / "export"
        shutil.copytree(self.trail.exports[-1], self.export, copy_function=os.link)
        self.witness = self.folder / "witness"
        shutil.copytree(self.trail.witness, self.witness)

    @property
    def size(self) -> int:
        """Leaves."""
        return self.trail.sizes[-1]

    def read(self, path: str) -> bytes:
        """A file of the export."""
        return (self.export / path).read_bytes()

    def put(self, path: str, data: bytes | None) -> None:
        """Replace a file of the export, or remove it."""
        (self.export / path).unlink(missing_ok=True)
        if data is not None:
            (self.export / path).parent.mkdir(parents=True, exist_ok=True)
            (self.export / path).write_bytes(data)

    def flip(self, path: str, at: int) -> None:
        """Change one bit of one byte."""
        data = bytearray(self.read(path))
        data[at] ^= 1
        self.put(path, bytes(data))

    def entries(self) -> list[bytes]:
        """Every receipt, from the database's copy."""
        return asyncio.run(_receipts(self.trail.databases[-1]))

    def copy_database(self, step: int = -1) -> str:
        """A database as it was after a step, to be altered."""
        name = self.trail.databases[step].rpartition("/")[2].partition("?")[0]
        self.database = asyncio.run(stacks.create_database(self.stack, name))
        return self.database

    def run(self, *statements: str, values: Sequence[object] = ()) -> None:
        """What only an owner can do, in a copy of the newest database."""
        asyncio.run(_run(self.database or self.copy_database(), statements, values))

    def drop(self) -> None:
        """Leave nothing."""
        if self.database:
            asyncio.run(stacks.drop_database(self.stack, self.database))


async def _receipts(uri: str) -> list[bytes]:
    connection = await asyncpg.connect(uri)
    rows = await connection.fetch("SELECT receipt FROM ledger.entry ORDER BY leaf")
    await connection.close()
    return [row["receipt"] for row in rows]


async def _run(uri: str, statements: Sequence[str], values: Sequence[object]) -> None:
    connection = await asyncpg.connect(uri)
    for statement in statements:
        await connection.execute(statement, *values)
    await connection.close()


def forge(export: Path, entries: Sequence[bytes], signer: keys.SigningKey = SIGNER) -> None:
    """Another log of these entries, signed as if it had always been so."""
    reached, files = integration.integrate(
        integration.NOTHING.edge, [integration.Entry(number, data, None) for number, data in enumerate(entries)]
    )
    for file in (*files, *integration.partial(reached)):
        if not file.private:
            path = export / file.path.removeprefix(f"{integration.PUBLIC}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
    tree = checkpoint.Checkpoint(signer.name, len(entries), trees.root_of([merkle.leaf_hash(one) for one in entries]))
    signed = checkpoint.sign(tree, [signer])
    (export / source.CHECKPOINT).write_bytes(signed)
    (export / source.CHECKPOINTS).write_text(json.dumps({"size": tree.size, "note": signed.decode()}) + "\n")


async def project(uri: str) -> None:
    """Fold everything, as the projector does."""
    connection = await asyncpg.connect(uri)
    await tables.prepare(connection)
    while (await projecting.step(connection, projecting.Target(), await projecting.cursor(connection, "audit"))).leaves:
        pass
    await connection.close()
