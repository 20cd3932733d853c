"""A published log on a real Postgres: leaves appended through the real writer, published by the real publisher."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from google.protobuf.message import Message

from decklog.adapters.postgres import ledger as postgres
from decklog.events.v1 import control_pb2
from decklog.model import failpoints, receipt
from decklog.model.tlog import checkpoint, keys, note
from decklog.runtime import ops
from services.audit.core import sequencing
from services.audit.core import sequencing_examine as examination
from services.audit.core.leaf import Leaf
from services.audit.publisher import folder, publisher, publishing, ring, witnessed
from tests import audit_leaves as some
from tests import audit_ledger, ordered, sequenced

DOMAIN, INSTALLATION = "log.example", "i"
ORIGIN = f"{DOMAIN}/{INSTALLATION}"
PEM = keys.new_pem(b"k" * 32)
SIGNER = keys.from_pem(PEM, ORIGIN)
RING = ring.Ring(held=(SIGNER,))
NEXT_PEM = keys.new_pem(b"n" * 32)
NEXT = keys.from_pem(NEXT_PEM, ORIGIN)
BOTH = ring.Ring(held=(SIGNER, NEXT))
"""With a key that is to replace the first one: it signs nothing before a leaf says so."""


def leaves(first: int, count: int) -> list[Leaf]:
    """Event leaves with these numbers."""
    return [some.leaf(number, some.changed(number + 1)) for number in range(first, first + count)]


class Log:
    """A ledger that grows and a folder into which it is published."""

    def __init__(self, uri: str, path: Path) -> None:
        self.uri = uri
        self.path = path
        self.size = 0
        self._orders = 0
        self.readiness = ops.Readiness("publisher")

    async def grow(self, count: int) -> None:
        """Sequence that many leaves more."""
        await audit_ledger.append(self.uri, leaves(self.size, count))
        self.size += count

    async def order(self, message: Message) -> None:
        """Sequence an order to the ledger, with the leaf behind it."""
        writer = await postgres.PostgresWriter.connect(self.uri)
        try:
            await writer.lead()
            standing = sequencing.Standing(
                head=await writer.head(),
                positions=await writer.positions(),
                incarnations={ordered.CONTROL: "b"},
                rotations=await writer.rotations(),
            )
            rules = examination.rules("kafka", sequenced.PREFIX)
            draft = sequencing.Draft(standing, rules=rules, now_us=standing.head.recorded_at)
            self._orders += 1
            record = ordered.order(message, self._orders - 1)
            draft.add([examination.examine(record, rules, standing.head.recorded_at)], b"o" * receipt.DRAWN_BYTES)
            batch = draft.batch()
            await writer.append(batch.addition)
            self.size = batch.addition.after.size
        finally:
            await writer.close()

    async def rotate(self, vkey: keys.SigningKey, *, beside: keys.SigningKey | None = None) -> int:
        """Have a key sign, beside another one or alone; the leaf that says so."""
        named = "" if beside is None else str(beside.verifier)
        before = self.size
        await self.order(control_pb2.KeyRotationRequested(vkey=str(vkey.verifier), beside=named, reason="yearly"))
        assert self.size == before + 2
        return self.size - 1

    async def publish(self, *, signers: ring.Ring = RING, failpoint: failpoints.Failpoint | None = None) -> bool:
        """Start as after a crash, publish the ledger as it stands, end; whether there was anything to publish."""
        connection = await postgres.connect(self.uri, "decklog publisher")
        reached = failpoint or failpoints.none
        log = folder.LogFolder(self.path, reached)
        try:
            with log.held():
                climb = publishing.Publishing(connection, log, signers, reached)
                await climb.resume()
                await climb.serve()
                moved = await climb.step()
                await climb.serve()
                return moved
        finally:
            await connection.close()

    def publisher(
        self,
        *,
        files: ring.Files | None = None,
        installation: Callable[[], str] = lambda: INSTALLATION,
        rule: witnessed.Rule | None = None,
    ) -> publisher.Publisher:
        """The publisher as audit runs it."""
        return publisher.Publisher(
            publisher.Parts(
                postgres=self.uri,
                folder=folder.LogFolder(self.path),
                keys=files or ring.Files(current=PEM),
                domain=DOMAIN,
                installation=installation,
                readiness=self.readiness,
                witnesses=rule,
            )
        )

    def served(self) -> checkpoint.Checkpoint:
        """The checkpoint that anybody gets, verified."""
        data = (self.path / folder.CHECKPOINT).read_bytes()
        return checkpoint.open_with(data, [one.verifier for one in BOTH.held], origin=ORIGIN)[0]

    async def stored(self) -> list[checkpoint.Checkpoint]:
        """Every checkpoint that was signed, the smallest first."""
        rows = await self.execute("SELECT note FROM ledger.checkpoint ORDER BY size")
        return [checkpoint.parse(note.parse(row["note"]).text) for row in rows]

    async def execute(self, statement: str, *values: object) -> list:
        """Run SQL as the owner."""
        connection = await postgres.connect(self.uri, "test")
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    def files(self, *, below: str = "") -> dict[str, bytes]:
        """Every file of the log by path, but for the lock."""
        paths = (path for path in (self.path / below).rglob("*") if path.is_file() and path.name != "lock")
        return {str(path.relative_to(self.path)): path.read_bytes() for path in paths}


@contextlib.asynccontextmanager
async def running(given: publisher.Publisher):
    """The publisher following the ledger in the background."""
    stop = asyncio.Event()
    task = asyncio.create_task(given.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.wait({task}), 20)


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 (what is waited for is another process's doing)
            await asyncio.sleep(0.01)
