"""Whatever call for its folder the kernel refuses the publisher, or never comes back from: nothing is lost."""

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from decklog import native
from decklog.events.v1 import control_pb2
from decklog.model.tlog import tiles
from services.audit.core import integration, recovery
from tests import served_log
from tests import stack as stacks
from tests import traced_publisher as traced
from tests.published_log import Log

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed: no faults of the kernel"
)

CALLS = {
    "close": {"close"},
    "hint": {"fadvise64"},
    "list": {"getdents64"},
    "lock": {"flock"},
    "look": {"fcntl", "ioctl", "lseek"},
    "mkdir": {"mkdir", "mkdirat"},
    "open": {"openat"},
    "read": {"read"},
    "remove": {"rmdir", "unlink", "unlinkat"},
    "rename": {"rename", "renameat", "renameat2"},
    "stat": {"fstat", "newfstatat", "statx"},
    "sync": {"fsync"},
    "write": {"write"},
}
"""By kind; of some kinds not every machine makes each."""
INTERRUPTED = {"flock", "fsync", "openat", "read", "write"}
"""Calls that a signal may interrupt before anything is done: they are made again."""
INTERRUPTION, NOTHING_WRITTEN = "error=EINTR", "retval=0"
EVERY = "DECKLOG_EVERY_FAULT"
"""In the environment: each fault at each call, in C and in Python."""
FEW = 3
"""Calls of a name, of which each meets every fault all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A ledger that is to be published into a folder, again and again from the same place; and what it takes."""

    log: Log
    kept: Path
    leaves: list[bytes]
    erased: list[int]
    calls: dict[str, list[traced.Call]]

    async def again(self) -> None:
        """As if nobody had published yet."""
        await self.log.execute("DELETE FROM ledger.checkpoint WHERE size = $1", self.log.size)
        shutil.rmtree(self.log.path, ignore_errors=True)
        if self.kept.exists():
            shutil.copytree(self.kept, self.log.path)

    async def holds(self) -> None:
        """Started once more it publishes all leaves, as they were, and keeps no salt of what was erased."""
        assert await served_log.all_is_published(self.log) == self.leaves
        salts = self.log.files(below=integration.SALTS)
        assert salts
        for path, data in salts.items():
            first, count = _leaves_of(path)
            found = recovery.salts(data, min(count, self.log.size - first))
            assert [one for one in self.erased if first <= one < first + count and found[one - first]] == [], path


def _leaves_of(path: str) -> tuple[int, int]:
    whole, _, partial = path.removeprefix(f"{integration.SALTS}/entries/").partition(".p/")
    return int(whole) * tiles.WIDTH, int(partial or tiles.WIDTH)


async def first(log: Log) -> list[int]:
    """Nothing is published yet, and there is no folder."""
    await log.grow(258)
    return []


async def further(log: Log) -> list[int]:
    """A part is published, what comes makes a tile whole and erases, and a crash has left something."""
    for count in (508, 2):
        await log.grow(count)
        await log.publish()
    await log.grow(4)
    erased = [3, 508]
    ranges = [control_pb2.LeafRange(first=one, end=one + 1) for one in erased]
    await log.order(control_pb2.ErasureRequested(reason="order", leaves=ranges))
    (log.path / "unfinished" / "7").touch()
    return erased


async def _made(uri: str, folder: Path, begin: Callable[[Log], Coroutine[None, None, list[int]]]) -> Scene:
    log = Log(uri, folder / "log")
    erased = await begin(log)
    leaves = [row["receipt"] for row in await log.execute("SELECT receipt FROM ledger.entry ORDER BY leaf")]
    await log.execute("ALTER TABLE ledger.checkpoint DISABLE TRIGGER USER")  # else nothing begins anew
    kept = folder / "kept"
    if log.path.exists():
        shutil.copytree(log.path, kept)
    calls = dict[str, list[traced.Call]]()
    scene = Scene(log=log, kept=kept, leaves=leaves, erased=erased, calls=calls)
    for how in ("C", "Python"):
        calls[how] = traced.calls(log.uri, log.path, how)
        await scene.holds()
        await scene.again()
    return scene


@pytest.fixture(scope="module")
def scenes(
    stack: stacks.Stack, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Scene]]:
    """By name."""
    made = dict[str, Scene]()
    for begin in (first, further):
        uri = asyncio.run(stacks.create_database(stack, migrated_template))
        made[begin.__name__] = asyncio.run(_made(uri, tmp_path_factory.mktemp(begin.__name__), begin))
    yield made
    for scene in made.values():
        asyncio.run(stacks.drop_database(stack, scene.log.uri))


def cases(scene: Scene, name: str) -> Iterator[tuple[str, traced.Call, str]]:
    """How a publisher runs, one of its calls of a name and what comes of it: all of these, or each call once, in turn.

    In turn means that neighbours meet different faults, and what is written in C and in Python takes turns, too.
    """
    hows = [how for how in scene.calls if how == "Python" or native.kernel is not None]
    faults = ["error=EIO", "error=ENOSPC", traced.KILL]
    faults += [INTERRUPTION] if name in INTERRUPTED else []
    faults += [NOTHING_WRITTEN] if name == "write" else []
    for turn, how in enumerate(hows):
        calls = [call for call in scene.calls[how] if call.name == name]
        for call in calls:
            if os.environ.get(EVERY) or len(calls) <= FEW:
                yield from ((how, call, fault) for fault in faults)
            elif call.number % len(hows) == turn:
                yield how, call, faults[call.number // len(hows) % len(faults)]


def test_these_are_the_calls(scenes):
    """What the publisher asks of the kernel for its folder, in C as in Python; nothing else may fail unseen."""
    for how in ("C", "Python"):
        names = {call.name for scene in scenes.values() for call in scene.calls[how]}
        assert names <= set().union(*CALLS.values())
        assert [kind for kind, known in CALLS.items() if not known & names] == []


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("scene", ["first", "further"])
async def test_whatever_the_kernel_refuses_nothing_is_lost(scenes, scene, kind):
    """An error that names the file, or no matter; never a checkpoint over less, a leaf that changed, a file left open.

    What is served verifies at once, with every checkpoint that was ever signed; and all is published the next time.
    """
    here: Scene = scenes[scene]
    for how, call, fault in (one for name in sorted(CALLS[kind]) for one in cases(here, name)):
        await here.again()
        paths = {call.path for call in here.calls[how]}
        ended = traced.refuse(here.log.uri, here.log.path, how, call, fault, paths).ended
        case = f"{call.name} {call.number} of {call.path} in {how}: {fault}, {ended}"
        await served_log.verified(here.log)
        if ended is not None:
            # A close that strace refuses is never made.
            assert kind == "close" or ended.left_open == [], case
            if ended.error:
                assert f"{call.path}: " in ended.error, case
                assert "DECKLOG_LOG_DIR" in ended.error, case
                # Only who lists a folder does not open it again.
                assert fault not in (INTERRUPTION, NOTHING_WRITTEN) or kind == "open", case
            else:
                assert here.log.served().size == here.log.size, case
        await here.holds()
