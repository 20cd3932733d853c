"""The reconcile service of a run: a real member on the memory cluster, mirror and stream."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from decklog.adapters.memory import stream as memory_stream
from decklog.model import masking
from decklog.ports import cluster, stream
from services.reconcile import parts, service
from services.reconcile.render import answer, limits, plain, trees
from tests.simulation import instances, people
from tests.simulation.world import World, producer, reader

MASK = masking.Masking(masking.MaskingKey(b"the key of a simulated installation"))


def main_of(world: World) -> instances.Main:
    """What an instance of the service runs."""

    async def main(instance: instances.Instance) -> None:
        await service.Reconcile(_parts(world, instance)).serve(instance.stop)

    return main


async def render(tree: Path, path: str, kind: str) -> answer.Rendered:
    """The real plain renderer, in this process: a sub-process would bring real time back."""
    del kind
    root = trees.Tree(tree)
    return plain.render(root, root.at(path), limits.RenderLimits())


class Sending:
    """A producer at whose call the instance can be stopped: what it sends then is under way until it wakes."""

    def __init__(self, inner: stream.Producer, instance: instances.Instance) -> None:
        self._inner = inner
        self._instance = instance

    async def send(self, message: stream.Message) -> stream.Coordinates:
        """See `stream.Producer.send`."""
        (place,) = await self.send_all([message])
        return place

    async def send_all(self, messages: Iterable[stream.Message]) -> Sequence[stream.Coordinates]:
        """See `stream.Producer.send_all`."""
        self._instance.failpoint(instances.SENDING)
        return await self._inner.send_all(messages)

    async def close(self) -> None:
        """See `stream.Producer.close`."""
        await self._inner.close()


def _parts(world: World, instance: instances.Instance) -> parts.Parts:
    mortal = instance.life
    membership = instances.Member(world.group, mortal)
    instance.member = membership

    async def connect(context: str) -> cluster.Cluster:
        return mortal.gate(world.reached[context])

    return parts.Parts(
        prefix=people.PREFIX,
        member=instance.name,
        producer=Sending(producer(world, instance), instance),
        new_reader=lambda: reader(world, instance),
        membership=mortal.gate(membership),
        topics=mortal.gate(memory_stream.MemoryTopics(world.stream)),
        connect=connect,
        mirrors=mortal.gate(world.mirrors),
        render=render,
        mask=MASK,
        write_seconds=world.cluster.request_timeout,
        scratch=Path(world.scratch.name).resolve(),
        time=mortal.gate(world.clock),
        entropy=world.entropy(instance.name),
        status=_unheard,
        complain=_unheard,
        failpoint=instance.failpoint,
    )


def _unheard(component: str, reason: str | None) -> None:
    """Readiness is shown by the shipped service; a run ends with everything well or with what is not."""
    del component, reason
