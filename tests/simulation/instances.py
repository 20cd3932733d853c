"""Instances of services: started, killed at a failpoint, paused, told to stop, and started again by a supervisor."""

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from decklog.adapters.memory import membership as memory_membership
from decklog.ports import stream
from tests.simulation import life

RESTART_SECONDS = 1.0
MOST_INSTANCES = 3

Main = Callable[["Instance"], Coroutine[Any, Any, None]]
Tell = Callable[[str], None]


class Group(memory_membership.MemoryGroup):
    """A consumer group whose silent members are timed out as the broker does it."""

    async def leave(self, member: memory_membership.MemoryMembership) -> None:
        """The dead say no goodbye; `bury` is how the group learns."""
        if not (isinstance(member, Member) and member.dead):
            await super().leave(member)

    async def bury(self, instance: str) -> None:
        """Do without a member that ended."""
        async with self._rebalancing:
            if self._members.pop(instance, None) is not None:
                await self._revoke_all()
                await self._assign_all()

    async def time_out(
        self, instance: str, mortal: life.Life, sleep: Callable[[float], Coroutine[Any, Any, None]]
    ) -> None:
        """Wait for a silent member as long as a session lasts, keeping every rebalance waiting; then do without it."""
        async with self._rebalancing:
            await sleep(self.session_timeout)
            if mortal.paused and instance in self._members:
                del self._members[instance]
                await self._revoke_all()
                await self._assign_all()


class Listener:
    """An instance's listener as its group sees it: the dead are not asked, and what kills them stays with them."""

    def __init__(self, mortal: life.Life, listener: stream.AssignmentListener) -> None:
        self._life = mortal
        self._listener = listener

    async def assigned(self, partitions: frozenset[int]) -> None:
        """See `stream.AssignmentListener.assigned`."""
        await self._ask(self._listener.assigned, partitions)

    async def revoked(self, partitions: frozenset[int]) -> None:
        """See `stream.AssignmentListener.revoked`."""
        await self._ask(self._listener.revoked, partitions)

    async def _ask(
        self, step: Callable[[frozenset[int]], Coroutine[Any, Any, None]], partitions: frozenset[int]
    ) -> None:
        if self._life.dead:
            return
        try:
            with self._life.acting():
                await step(partitions)
        except life.Killed:
            return


class Member(memory_membership.MemoryMembership):
    """A membership whose listener is asked through the life of its instance."""

    def __init__(self, group: Group, mortal: life.Life) -> None:
        super().__init__(group, mortal.name)
        self._life = mortal

    @property
    def dead(self) -> bool:
        """Whether its process is gone."""
        return self._life.dead

    async def run(self, listener: stream.AssignmentListener) -> None:
        """See `stream.Membership.run`."""
        await super().run(Listener(self._life, listener))


class Instance:
    """One process of a service."""

    def __init__(self, service: str, number: int, passed: Callable[["Instance", str], None]) -> None:
        self.service = service
        self.name = f"{service}-{number}"
        self.life = life.Life(self.name)
        self.stop = asyncio.Event()
        self.member: Member | None = None
        self.task: asyncio.Task[None] | None = None
        self._passed = passed

    def failpoint(self, name: str) -> None:
        """What the service calls at its failpoints."""
        self.life.check()
        self._passed(self, name)
        self.life.check()


SENDING = "stream.send"
"""Passed by a member of reconcile when it hands something to its producer, and nothing has arrived yet."""


class Armed:
    """Something that happens when an instance of a service passes its nth failpoint from now on."""

    def __init__(self, service: str, passing: int, act: Callable[[Instance, str], None], where: str) -> None:
        self.service = service
        self.left = passing
        self.act = act
        self.where = where
        """Only passings of this failpoint count; empty: of any."""


class Processes:
    """All instances, and the supervisor that starts what has ended."""

    def __init__(self, group: Group, *, sleep: Callable[[float], Coroutine[Any, Any, None]], tell: Tell) -> None:
        self.running: list[Instance] = []
        self.passed: dict[str, int] = {}
        """How often each failpoint was passed."""
        self.crashed_at: list[str] = []
        self.complaints: list[str] = []
        """Instances that ended by themselves, with what ended them."""
        self.mains: dict[str, Main] = {}
        self._group = group
        self._sleep = sleep
        self._tell = tell
        self._armed: list[Armed] = []
        self._started = 0
        self._closing = False
        self._watchers: set[asyncio.Task[None]] = set()

    def of(self, service: str) -> list[Instance]:
        """The instances of a service that are not dead."""
        return [one for one in self.running if one.service == service]

    def start(self, service: str) -> None:
        """Start one more instance, unless there are many."""
        if self._closing or len(self.of(service)) >= MOST_INSTANCES:
            return
        self._started += 1
        instance = Instance(service, self._started, self._pass)
        self.running.append(instance)
        self._tell(f"{instance.name} starts")
        with instance.life.acting():
            instance.task = asyncio.create_task(self.mains[service](instance), name=instance.name)
        self._keep(self._watch(instance))

    def arm(self, service: str, passing: int, act: Callable[[Instance, str], None], *, where: str = "") -> None:
        """Have something happen at a failpoint to come."""
        self._armed.append(Armed(service, passing, act, where))

    def disarm(self) -> None:
        """Let nothing more happen at failpoints."""
        self._armed.clear()

    def kill(self, instance: Instance, where: str) -> None:
        """SIGKILL."""
        self._tell(f"{instance.name} is killed at {where}")
        self.crashed_at.append(where)
        instance.life.kill()

    async def end(self) -> None:
        """Kill everything: the run is over."""
        self._closing = True
        for instance in self.running:
            instance.life.kill()
        await asyncio.gather(*self._watchers, return_exceptions=True)

    def _pass(self, instance: Instance, name: str) -> None:
        self.passed[name] = self.passed.get(name, 0) + 1
        due = [one for one in self._armed if one.service == instance.service and one.where in ("", name)]
        for armed in due:
            armed.left -= 1
            if armed.left <= 0:
                self._armed.remove(armed)
                armed.act(instance, name)

    async def _watch(self, instance: Instance) -> None:
        """Wait for an instance's end; say what ended it, and start another."""
        assert instance.task is not None
        await asyncio.wait({instance.task})
        self.running.remove(instance)
        problem = _problem(instance)
        instance.life.kill()
        if self._closing:
            return
        await self._group.bury(instance.name)
        if problem:
            self.complaints.append(f"{instance.name}: {problem}")
        self._tell(f"{instance.name} has ended{': ' + problem.splitlines()[-1] if problem else ''}")
        await self._sleep(RESTART_SECONDS)
        if not self.of(instance.service):
            self.start(instance.service)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = life.unowned(work)
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)


def _problem(instance: Instance) -> str:
    """Why it ended, if that is anybody's fault."""
    assert instance.task is not None
    if instance.task.cancelled():
        return "" if instance.life.dead else "it was cancelled by itself"
    error = instance.task.exception()
    if error is None:
        return "" if instance.stop.is_set() else "it ended although nobody asked"
    if instance.life.dead:
        return ""
    return "".join(traceback.format_exception(error))
