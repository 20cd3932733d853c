"""Carrying out a plan: each act of the schedule, done to the world at its time; and the calm after it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from decklog.model import errors, objects
from decklog.ports import cluster, mirror, stream
from tests.simulation import instances, life, people, schedule
from tests.simulation.world import World

SESSION_ENDS_SECONDS = 5.0
"""After this long the database ends the session of a client that does not answer."""


class Weather:
    """Does what the plan says."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._refused: dict[objects.ObjectKey, float] = {}
        self._away: set[str] = set()
        self._paused: list[instances.Instance] = []
        self._later: set[asyncio.Task[None]] = set()
        world.cluster.script = self._script

    async def storm(self, plan: schedule.Plan) -> None:
        """Carry out every act at its time."""
        for planned in plan.acts:
            elapsed = self._world.clock.monotonic()
            if planned.at > elapsed:
                await self._world.clock.sleep(planned.at - elapsed)
            self._world.tell(str(planned.act))
            self._do(planned.act)

    async def clear(self) -> None:
        """End everything that was bad, and let those who were paused wake."""
        self._world.tell("the weather clears")
        self._world.processes.disarm()
        self._refused.clear()
        for what in list(self._away):
            self._back(what)
        for label in schedule.TOPICS:
            self._world.stream.release(self._world.name(label))
        self._world.stream.lose_acks(0)
        self._world.stream.drop_sends(0)
        for instance in list(self._paused):
            await self._wake(instance)

    async def close(self) -> None:
        """Forget what was still to come."""
        for task in list(self._later):
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)

    def _do(self, act: schedule.Act) -> None:  # noqa: C901 (one line for each act)
        world, folk = self._world, self._world.people
        match act:
            case schedule.Push():
                folk.push(act.application, act.object, act.colour)
            case schedule.PushBroken():
                folk.push_broken(act.application, refused=act.refused)
            case schedule.Edit():
                folk.edit(world.cluster, act.application, act.object, act.colour)
            case schedule.Declare():
                folk.declare(act.application, act.mode)
            case schedule.Retire():
                folk.retire(act.application, prune=act.prune)
            case schedule.Ask():
                folk.ask(act.application)
            case schedule.LoseAcks():
                world.stream.lose_acks(act.count)
            case schedule.DropSends():
                world.stream.drop_sends(act.count)
            case schedule.Hold():
                world.stream.hold(world.name(act.topic))
                self._after(act.seconds, lambda: world.stream.release(world.name(act.topic)))
            case schedule.Redeliver():
                self._redeliver(act)
            case schedule.Repeat():
                self._repeat(act)
            case schedule.Litter():
                where = world.partitions(act.topic)[0]
                self._append(stream.Message(topic=where.topic, key=b"?", value=b"no event", headers=(("x", b"y"),),
                                            partition=where.partition))  # fmt: skip
            case schedule.Retain():
                self._retain(act)
            case schedule.Skip():
                world.stream.skip(self._busiest(act.topic), act.count)
            case schedule.Recreate():
                self._recreate(act)
            case schedule.LoseState():
                world.stream.recreate(world.name("state"))
            case schedule.Outage():
                self._go_away(act.what)
                self._after(act.seconds, lambda: self._back(act.what))
            case schedule.Refuse():
                self._refuse(act)
            case schedule.CutWatches():
                world.cluster.expire() if act.expired else world.cluster.interrupt()
            case schedule.Skew():
                world.clock.skew(round(act.seconds * 1_000_000))
            case schedule.Crash():
                world.processes.arm(act.service, act.passing, world.processes.kill, where=act.where)
            case schedule.Pause():
                world.processes.arm(act.service, act.passing, lambda one, where: self._pause(one, where, act.seconds))
            case schedule.Sleep():
                stop = lambda one, where: self._pause(one, where, act.seconds)  # noqa: E731
                world.processes.arm("reconcile", act.passing, stop, where=instances.SENDING)
            case schedule.FailSend():
                fail = world.stream.lose_acks if act.stored else world.stream.drop_sends
                world.processes.arm("reconcile", act.passing, lambda *_: fail(1), where=instances.SENDING)
            case schedule.Join():
                world.processes.start(act.service)
            case schedule.Leave():
                for one in world.processes.of(act.service)[:1]:
                    one.stop.set()

    def _append(self, message: stream.Message) -> None:
        """Somebody else's producer: what it cannot deliver now, it does not deliver."""
        try:
            self._world.stream.append([message])
        except errors.Transient as error:
            self._world.tell(f"(not sent: {error.problem})")

    def _busiest(self, label: str) -> stream.TopicPartition:
        """The partition of a topic with the most records."""
        return max(self._world.partitions(label), key=lambda where: self._world.stream.offsets(where)[1])

    def _redeliver(self, act: schedule.Redeliver) -> None:
        where = self._busiest(act.topic)
        first, end = self._world.stream.offsets(where)
        self._world.stream.redeliver(where, max(first, end - act.back))

    def _repeat(self, act: schedule.Repeat) -> None:
        where = self._busiest(act.topic)
        log = self._world.stream.log(where)
        if not log:
            return
        last = log[-1]
        value = (last.value or b"") + b"\x9a\x3e\x01!" if act.altered else last.value
        self._append(stream.Message(topic=last.topic, key=last.key, value=value, headers=last.headers,
                                    partition=last.partition))  # fmt: skip

    def _retain(self, act: schedule.Retain) -> None:
        """Retention is far longer than any reader is behind, except for topics that only the ledger reads."""
        where = self._busiest(act.topic)
        self._world.stream.retain(where, self._world.stream.offsets(where)[1] - act.keep)

    def _recreate(self, act: schedule.Recreate) -> None:
        """A topic of which the ledger never read anything cannot be known to be another one."""
        name = self._world.name(act.topic)
        if any(where.topic == name and one.next_offset for where, one in self._world.ledger.positions.items()):
            self._world.stream.recreate(name)

    def _go_away(self, what: str) -> None:
        self._away.add(what)
        if what == "kafka":
            self._world.stream.go_down()
        elif what == "postgres":
            self._world.ledger.go_down()
        elif what == "git":
            self._world.repository.failure = mirror.Unavailable(mirror.Reason.UNREACHABLE, "no route to the host")
        else:
            self._world.cluster.interrupt()

    def _back(self, what: str) -> None:
        if what not in self._away:
            return
        self._away.discard(what)
        if what == "kafka":
            self._world.stream.come_up()
        elif what == "postgres":
            self._world.ledger.come_up()
        elif what == "git":
            self._world.repository.failure = None

    def _refuse(self, act: schedule.Refuse) -> None:
        key = people.key_of(act.application, act.object)
        until = self._world.clock.monotonic() + act.seconds
        self._refused[key] = max(until, self._refused.get(key, 0.0))

        def relent() -> None:
            if self._refused.get(key, 0.0) <= self._world.clock.monotonic():
                self._refused.pop(key, None)

        self._after(act.seconds, relent)

    def _script(self, call: str, key: objects.ObjectKey | None) -> errors.DecklogError | None:
        """The error that the API server answers with, if it does."""
        if "kubernetes" in self._away and call != "resources":  # the kinds served are remembered, not asked
            return cluster.Unavailable("connection refused", where=people.CLUSTER)
        if key in self._refused and call in ("apply", "dry-run", "delete"):
            assert key is not None
            secret = people.secret_of(key.name.partition("-")[0])
            return cluster.Rejected(f'denied: data.password: Invalid value: "{secret}"', where=key.display)
        return None

    def _pause(self, instance: instances.Instance, where: str, seconds: float) -> None:
        """Stop an instance. Its group and its database do without it after a while; later it wakes, none the wiser."""
        self._world.tell(f"{instance.name} is paused at {where}")
        instance.life.pause()
        self._paused.append(instance)
        if instance.member is not None:
            instance.member.silence()
            self._keep(self._world.group.time_out(instance.name, instance.life, self._world.clock.sleep))
        else:
            self._keep(self._depose(instance))
        self._keep(self._wake_after(instance, seconds))

    async def _depose(self, instance: instances.Instance) -> None:
        await self._world.clock.sleep(SESSION_ENDS_SECONDS)
        if instance.life.paused:
            self._world.ledger.depose()
            self._world.processes.start(instance.service)

    async def _wake_after(self, instance: instances.Instance, seconds: float) -> None:
        if instance.member is not None:
            await self._world.clock.sleep(1.0)
            self._world.processes.start(instance.service)
        await self._world.clock.sleep(seconds)
        await self._wake(instance)

    async def _wake(self, instance: instances.Instance) -> None:
        if instance not in self._paused:
            return
        self._paused.remove(instance)
        self._world.tell(f"{instance.name} wakes")
        instance.life.resume()
        if instance.member is not None and not instance.life.dead:
            await instance.member.wake()

    def _after(self, seconds: float, act: Any) -> None:
        async def later() -> None:
            await self._world.clock.sleep(seconds)
            act()

        self._keep(later())

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = life.unowned(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)
