"""Reconcile's mirrors: applications of one source share one."""

import asyncio
from pathlib import Path

from decklog.adapters.memory import mirror as memory
from decklog.events.v1 import fleet_pb2
from decklog.model import fleet, masking
from decklog.ports import mirror
from services.reconcile import rendering
from services.reconcile.render import answer


class CountedMirrors(memory.MemoryMirrors):
    """Lets everybody else run while a mirror is opened, as a real one does."""

    opened = 0

    async def open(self, name: str, url: str, *, credentials: str = "") -> mirror.Mirror:
        self.opened += 1
        await asyncio.sleep(0)
        return await super().open(name, url, credentials=credentials)


async def never(folder: Path, path: str, kind: str) -> answer.Rendered:
    raise AssertionError((folder, path, kind))


async def test_applications_that_ask_at_the_same_moment_share_one_mirror(tmp_path: Path) -> None:
    """A second opening would find the mirror locked by the first, and be recorded as a failure to render."""
    mirrors = CountedMirrors({})
    workshop = rendering.Workshop(
        mirrors, never, masking.Masking(masking.MaskingKey(bytes(32)), masking.DEFAULT_RULES), scratch=tmp_path
    )
    declared = fleet.fold(
        fleet.Fleet(), fleet_pb2.SourceDeclared(name="infra", after=fleet_pb2.SourceSpec(url="/srv/infra"))
    )
    first, second = await asyncio.gather(workshop._mirror(declared, "infra"), workshop._mirror(declared, "infra"))
    assert first is second
    assert mirrors.opened == 1
