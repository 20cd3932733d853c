"""The memory adapters, writing down what goes through them: who appended what, who wrote which object."""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar

from google.protobuf.message import Message

from decklog.adapters.memory import cluster as memory_cluster
from decklog.adapters.memory import stream as memory_stream
from decklog.model import envelope, errors, events, objects
from decklog.ports import clock, cluster, stream
from tests.simulation import history

SPEAKER: ContextVar[str] = ContextVar("speaker", default=history.OUTSIDE)
"""Whose call is under way; set by the gate of an instance's life."""

Note = Callable[[history.Entry], None]


class RecordedStream(memory_stream.MemoryCluster):
    """A stream that writes down every record, whether its sender was told, and what the weather took."""

    def __init__(self, time: clock.Clock, note: Note) -> None:
        super().__init__(time)
        self.epochs: dict[str, int] = {}
        self.generation = 0
        """Grows whenever a reader may see something else than before."""
        self._note = note
        self._fresh: list[stream.Record] = []

    def append(self, batch: Sequence[stream.Message]) -> list[stream.Coordinates]:
        """Append, and write down what was stored."""
        acknowledged = False
        try:
            places = super().append(batch)
            acknowledged = True
        finally:
            fresh, self._fresh = self._fresh, []
            for record in fresh:
                self._note(
                    history.Stored(
                        at_us=self.clock.now_us(),
                        by=SPEAKER.get(),
                        epoch=self.epochs.get(record.topic, 0),
                        record=record,
                        acknowledged=acknowledged,
                        message=said_in(record),
                    )
                )
        return places

    def retain(self, where: stream.TopicPartition, first: int) -> None:
        """Let retention work, and write it down."""
        super().retain(where, first)
        self.generation += 1
        first, _ = self.offsets(where)
        self._note(history.Retained(where=where, epoch=self.epochs.get(where.topic, 0), first=first))

    def recreate(self, name: str) -> None:
        """Recreate the topic, and write it down."""
        super().recreate(name)
        self.generation += 1
        self.epochs[name] = self.epochs.get(name, 0) + 1
        self._note(history.Recreated(topic=name, epoch=self.epochs[name]))

    def skip(self, where: stream.TopicPartition, count: int = 1) -> None:
        """Use up offsets, and write it down."""
        _, first = self.offsets(where)
        super().skip(where, count)
        self.generation += 1
        epoch = self.epochs.get(where.topic, 0)
        self._note(history.Skipped(where=where, epoch=epoch, first=first, count=count))

    def hold(self, topic: str) -> None:
        """See `MemoryCluster.hold`."""
        super().hold(topic)
        self.generation += 1

    def go_down(self) -> None:
        """See `MemoryCluster.go_down`."""
        super().go_down()
        self.generation += 1

    def _wake(self) -> None:
        self.generation += 1
        super()._wake()

    def _append(self, message: stream.Message) -> stream.Coordinates:
        place = super()._append(message)
        self._fresh.append(self._log(stream.TopicPartition(place.topic, place.partition)).records[-1])
        return place


class QuietReader(memory_stream.MemoryReader):
    """A reader that does not look again where nothing can have changed: runs consist of idle polls mostly."""

    def __init__(self, world: RecordedStream) -> None:
        super().__init__(world)
        self._world = world
        self._idle_since = -1

    async def assign(self, positions: Mapping[stream.TopicPartition, int]) -> None:
        """See `stream.Reader.assign`."""
        self._idle_since = -1
        await super().assign(positions)

    def _drain(self, limit: int) -> dict[stream.TopicPartition, list[stream.Record]]:
        if self._idle_since == self._world.generation:
            return {}
        batches = super()._drain(limit)
        self._idle_since = -1 if batches else self._world.generation
        return batches


def said_in(record: stream.Record) -> Message | None:
    """The message of a record; None if it is no event."""
    try:
        event = envelope.from_headers(record.headers, record.value)
        return events.decode(event.type, event.data)
    except (errors.Refused, events.UnknownType, events.Malformed):
        return None


class RecordedCluster(memory_cluster.MemoryCluster):
    """A Kubernetes cluster that writes down every dry-run, apply and delete."""

    def __init__(self, name: str, time: clock.Clock, note: Note) -> None:
        super().__init__(wait=lambda failures: time.sleep(min(0.1 * 2**failures, 5.0)))
        self.name = name
        self._time = time
        self._note = note

    async def apply(
        self,
        resource: cluster.Resource,
        body: objects.KubeObject,
        *,
        expect: cluster.Precondition | None,
        force: bool,
        dry_run: bool,
    ) -> objects.KubeObject:
        """See `cluster.Cluster.apply`."""
        key, call = objects.key(body), "dry-run" if dry_run else "apply"
        before = self.stored().get(key)
        application = self._owner(body)
        try:
            after = await super().apply(resource, body, expect=expect, force=force, dry_run=dry_run)
        except errors.DecklogError as error:
            self._called(call, key, application, expect=expect, before=before, error=type(error).__name__)
            raise
        self._called(call, key, application, expect=expect, before=before, after=after)
        return after

    async def delete(
        self, resource: cluster.Resource, key: objects.ObjectKey, *, expect: cluster.Precondition, dry_run: bool
    ) -> None:
        """See `cluster.Cluster.delete`."""
        call, before = "dry-delete" if dry_run else "delete", self.stored().get(key)
        application = self._owner(before or {})
        try:
            await super().delete(resource, key, expect=expect, dry_run=dry_run)
        except errors.DecklogError as error:
            self._called(call, key, application, expect=expect, before=before, error=type(error).__name__)
            raise
        self._called(call, key, application, expect=expect, before=before)

    def _called(
        self,
        call: str,
        key: objects.ObjectKey,
        application: str,
        *,
        expect: cluster.Precondition | None,
        before: objects.KubeObject | None,
        after: objects.KubeObject | None = None,
        error: str = "",
    ) -> None:
        self._note(
            history.Called(
                at_us=self._time.now_us(),
                by=SPEAKER.get(),
                call=call,
                key=key,
                application=application,
                expect=expect,
                before=before,
                after=after,
                error=error,
            )
        )

    def _owner(self, obj: objects.KubeObject) -> str:
        mark = objects.tracking(obj)
        return f"{self.name}/{mark.application}" if mark else ""
