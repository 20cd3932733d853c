"""The emitter: an event is sealed once, placed by its key and sent unchanged until it is acknowledged."""

import asyncio

import pytest

from decklog.adapters.memory import clock, stream
from decklog.events.v1 import drift_pb2, git_pb2, subject_pb2
from decklog.model import envelope, errors, placement, topics
from decklog.ports import stream as ports_stream
from decklog.runtime import emitter


class Broker:
    """One broker in memory with the topics that are needed here."""

    def __init__(self) -> None:
        self.time = clock.MemoryClock()
        self.cluster = stream.MemoryCluster(self.time)
        for topic in (topics.GIT, topics.DRIFT):
            self.cluster.create(topic.name("t"), topic.partitions)

    def emitter(self, seed: int = 1) -> emitter.Emitter:
        return emitter.Emitter(
            stream.MemoryProducer(self.cluster),
            service="reconcile",
            installation=lambda: "i",
            prefix="t",
            time=self.time,
            entropy=lambda size: bytes([seed]) * size,
        )

    def stored(self, topic: topics.Topic) -> list[ports_stream.Record]:
        logs = (self.cluster.log(ports_stream.TopicPartition(topic.name("t"), n)) for n in range(topic.partitions))
        return [record for log in logs for record in log]


def drift() -> emitter.Emission:
    message = drift_pb2.DriftObserved(application=subject_pb2.ApplicationRef(cluster="dev", application="shop"))
    return emitter.Emission(message=message, key="dev/shop", subject="dev/shop", name="dev")


def commit() -> emitter.Emission:
    message = git_pb2.CommitObserved(source="infra", commit="a" * 40)
    return emitter.Emission(
        message=message, key="infra", subject="infra@a", name="infra", derived_from=(b"infra", b"a" * 40), derived_ms=5
    )


async def test_an_event_lands_where_placement_says_in_an_envelope_that_reads_back() -> None:
    broker = Broker()
    said = await broker.emitter().emit(drift())
    (record,) = broker.stored(topics.DRIFT)
    assert said.at.partition == record.partition == placement.partition("dev/shop")
    read = envelope.from_headers(record.headers, record.value)
    assert read == said.event
    assert (read.source, read.type) == ("/decklog/i/reconcile/dev", "dev.decklog.v1.DriftObserved")


async def test_a_doubtful_acknowledgement_resends_the_same_id_and_bytes() -> None:
    broker = Broker()
    broker.cluster.lose_acks(1)
    emitting = asyncio.create_task(broker.emitter().emit(drift()))
    while not emitting.done():
        await asyncio.sleep(0)
        if broker.time.next_due is not None:
            broker.time.advance(broker.time.next_due)
    first, second = broker.stored(topics.DRIFT)
    assert (first.value, first.headers) == (second.value, second.headers)


async def test_who_lost_the_right_to_speak_while_it_waited_sends_nothing_again() -> None:
    """The first attempt was stored without an answer; before the second the right is gone, and it is not made."""
    broker = Broker()
    broker.cluster.lose_acks(1)
    asked = []

    def permit() -> None:
        asked.append(True)
        if len(asked) > 1:
            raise errors.Refused("replaced")

    emitting = asyncio.create_task(broker.emitter().emit_all([drift()], permit=permit))
    while not emitting.done():
        await asyncio.sleep(0)
        if broker.time.next_due is not None:
            broker.time.advance(broker.time.next_due)
    with pytest.raises(errors.Refused, match="replaced"):
        emitting.result()
    assert len(broker.stored(topics.DRIFT)) == 1


async def test_a_derived_event_has_the_same_id_whoever_says_it_and_whenever() -> None:
    broker = Broker()
    first = await broker.emitter(1).emit(commit())
    broker.time.advance(3600)
    second = await broker.emitter(2).emit(commit())
    assert first.event.id == second.event.id
    assert first.event.data == second.event.data


async def test_an_observed_event_said_twice_is_two_events() -> None:
    broker = Broker()
    first, second = await broker.emitter(1).emit(drift()), await broker.emitter(2).emit(drift())
    assert first.event.id != second.event.id


async def test_an_event_beyond_the_limit_is_refused_before_it_is_sent() -> None:
    broker = Broker()
    message = git_pb2.CommitObserved(source="infra", message="x" * (topics.MAX_EVENT_BYTES + 1))
    large = emitter.Emission(message=message, key="infra", subject="s", name="infra", derived_from=(b"x",))
    with pytest.raises(errors.Refused, match="Split"):
        await broker.emitter().emit(large)
    assert not broker.stored(topics.GIT)


async def test_a_derived_event_that_does_not_say_from_what_is_a_mistake() -> None:
    broker = Broker()
    message = git_pb2.CommitObserved(source="infra")
    with pytest.raises(ValueError, match="derived"):
        broker.emitter().seal(emitter.Emission(message=message, key="infra", subject="s", name="infra"))
