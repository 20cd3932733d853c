"""A published log on a real Postgres: leaves appended through the real writer, published by the real publisher."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from decklog.adapters.postgres import ledger as postgres
from decklog.model.tlog import checkpoint, keys, note
from decklog.runtime import ops
from services.audit.core.leaf import Leaf
from services.audit.publisher import folder, publisher, publishing, witnessed
from tests import audit_leaves as some
from tests import audit_ledger

Failpoint = Callable[[str], None]

DOMAIN, INSTALLATION = "log.example", "i"
ORIGIN = f"{DOMAIN}/{INSTALLATION}"
PEM = keys.new_pem(b"k" * 32)
SIGNER = keys.from_pem(PEM, ORIGIN)


def leaves(first: int, count: int) -> list[Leaf]:
    """Event leaves with these numbers."""
    return [some.leaf(number, some.changed(number + 1)) for number in range(first, first + count)]


class Log:
    """A ledger that grows and a folder into which it is published."""

    def __init__(self, uri: str, path: Path) -> None:
        self.uri = uri
        self.path = path
        self.size = 0
        self.readiness = ops.Readiness("publisher")

    async def grow(self, count: int) -> None:
        """Sequence that many leaves more."""
        await audit_ledger.append(self.uri, leaves(self.size, count))
        self.size += count

    async def publish(self, *, signer: keys.SigningKey = SIGNER, failpoint: Failpoint | None = None) -> bool:
        """Start as after a crash, publish the ledger as it stands, end; whether there was anything to publish."""
        connection = await postgres.connect(self.uri, "decklog publisher")
        reached = failpoint or publisher.no_failpoint
        log = folder.LogFolder(self.path, reached)
        try:
            with log.held():
                climb = publishing.Publishing(connection, log, signer, reached)
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
        pem: bytes = PEM,
        installation: Callable[[], str] = lambda: INSTALLATION,
        rule: witnessed.Rule | None = None,
    ) -> publisher.Publisher:
        """The publisher as audit runs it."""
        return publisher.Publisher(
            publisher.Parts(
                postgres=self.uri,
                folder=folder.LogFolder(self.path),
                pem=pem,
                domain=DOMAIN,
                installation=installation,
                readiness=self.readiness,
                witnesses=rule,
            )
        )

    def served(self) -> checkpoint.Checkpoint:
        """The checkpoint that anybody gets, verified."""
        data = (self.path / folder.CHECKPOINT).read_bytes()
        return checkpoint.open_with(data, [SIGNER.verifier], origin=ORIGIN)[0]

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
