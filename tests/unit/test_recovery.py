"""A new owner recalls everything that was said: from the state, from its own events, or it says that it cannot."""

from collections.abc import Sequence

import pytest
from google.protobuf.message import Message

from decklog.adapters.memory import clock
from decklog.adapters.memory import stream as memory
from decklog.events.v1 import apply_pb2, subject_pb2
from decklog.model import objects, topics
from decklog.ports import stream
from decklog.runtime import emitter
from services.reconcile import recovery, state
from services.reconcile.core import recollection

NUMBER = 10
KEY = "dev/web"
APP = subject_pb2.ApplicationRef(cluster="dev", application="web")
PLACE = state.Place("p", NUMBER)
APPLY = stream.TopicPartition(topics.APPLY.name("p"), NUMBER)


@pytest.fixture
def log() -> memory.MemoryCluster:
    made = memory.MemoryCluster(clock.MemoryClock())
    for topic in topics.ALL:
        made.create(topic.name("p"), topic.partitions)
    return made


async def say(log: memory.MemoryCluster, *messages: Message) -> Sequence[emitter.Said]:
    voice = emitter.Emitter(
        memory.MemoryProducer(log),
        service="reconcile",
        installation=lambda: "00000000-0000-4000-8000-000000000000",
        prefix="p",
        time=log.clock,
        entropy=lambda size: bytes(range(size)),
    )
    said = []
    for number, message in enumerate(messages, start=1):
        sealed = voice.seal(emitter.Emission(message=message, key=KEY, subject=KEY, name="dev", sequence=number))
        placed = stream.Message(
            topic=sealed.record.topic,
            key=sealed.record.key,
            value=sealed.record.value,
            headers=sealed.record.headers,
            partition=NUMBER,
        )
        said.extend(await voice.deliver([emitter.Sealed(sealed.event, placed)]))
    return said


async def recall(log: memory.MemoryCluster) -> recovery.Recalled:
    return await recovery.Recovery(memory.MemoryReader(log), memory.MemoryProducer(log), PLACE).recall("me")


def applied(name: str) -> apply_pb2.ObjectApplied:
    about = subject_pb2.ObjectRef(kind="ConfigMap", version="v1", namespace="n", name=name)
    return apply_pb2.ObjectApplied(application=APP, object=about, outcome=apply_pb2.OBJECT_OUTCOME_CREATED)


def key(name: str) -> objects.ObjectKey:
    return objects.ObjectKey("", "ConfigMap", "n", name)


async def test_without_state_all_events_are_folded(log: memory.MemoryCluster) -> None:
    """State that is lost is rebuilt from what was said, as long as all of it is there."""
    await say(log, applied("a"), applied("b"))
    recalled = await recall(log)
    assert recalled.complete
    assert recalled.known[KEY].inventory() == {key("a"), key("b")}
    assert recalled.known[KEY].header.sequence == 2


async def test_what_retention_took_is_missed(log: memory.MemoryCluster) -> None:
    """Without state and without the first events, what is known is not complete, and says so."""
    await say(log, applied("a"), applied("b"))
    log.retain(APPLY, 1)
    recalled = await recall(log)
    assert not recalled.complete


async def test_stored_state_goes_on_from_where_it_was_written(log: memory.MemoryCluster) -> None:
    """Only what was said since is folded, and nothing is counted twice."""
    await say(log, applied("a"))
    known, touched = recollection.fold(state.empty(APP), [recollection.Fact(applied("a"), 1, 0, "e1")])
    positions = state.Positions({"apply": 1, "drift": 0, "live": 0})
    stored = state.with_header(known, safe=positions.safe(KEY))
    await memory.MemoryProducer(log).send_all(PLACE.messages(KEY, stored, touched))
    log.retain(APPLY, 1)
    await say(log, applied("b"))
    recalled = await recall(log)
    assert recalled.complete
    assert recalled.ends["apply"] == 2
    assert key("a") in recalled.known[KEY].inventory()


async def test_a_recreated_topic_begins_a_new_epoch(log: memory.MemoryCluster) -> None:
    """A position beyond the end means that the topic is another one: rights count anew, under a larger epoch."""
    positions = state.Positions({"apply": 7, "drift": 0, "live": 0})
    stored = state.with_header(state.empty(APP), safe=positions.safe(KEY), fence=subject_pb2.Fence(offset=6))
    await memory.MemoryProducer(log).send_all(PLACE.messages(KEY, stored, ()))
    assert (await recall(log)).topic_epoch == 1
