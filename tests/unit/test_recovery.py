"""A new owner recalls everything that was said: from the state, from its own events, or it says that it cannot."""

from collections.abc import Sequence

import pytest
from google.protobuf.message import Message

from decklog.adapters import system
from decklog.adapters.memory import clock
from decklog.adapters.memory import stream as memory
from decklog.events.v1 import apply_pb2, control_pb2, drift_pb2, live_pb2, subject_pb2
from decklog.model import objects, ownership, topics
from decklog.ports import stream
from decklog.runtime import emitter
from services.reconcile import claiming, recovery, state
from services.reconcile.core import recalling

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


async def say(log: memory.MemoryCluster, *messages: Message, since: int = 0) -> Sequence[emitter.Said]:
    voice = emitter.Emitter(
        memory.MemoryProducer(log),
        service="reconcile",
        installation=lambda: "00000000-0000-4000-8000-000000000000",
        prefix="p",
        time=log.clock,
        entropy=system.entropy,
    )
    said = []
    for number, message in enumerate(messages, start=since + 1):
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


def recovery_of(log: memory.MemoryCluster, taken_in: int | None = None) -> recovery.Recovery:
    async def committed() -> int | None:
        return taken_in

    return recovery.Recovery(memory.MemoryReader(log), memory.MemoryProducer(log), PLACE, committed=committed)


async def recall(log: memory.MemoryCluster, taken_in: int | None = None) -> recovery.Recalled:
    return await recovery_of(log, taken_in).recall("me")


async def whole(log: memory.MemoryCluster) -> None:
    """As an owner leaves the state topic that knows everything."""
    await memory.MemoryProducer(log).send(PLACE.whole("me"))


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


async def test_what_is_recalled_from_the_log_is_not_stored_yet(log: memory.MemoryCluster) -> None:
    """Nobody may count it as contained before it is stored: an owner that is killed at once leaves it to the next."""
    await say(log, applied("a"), applied("b"))
    recalled = await recall(log)
    assert recalled.unstored == {KEY: {key("a"), key("b")}}
    positions = state.Positions(recalled.ends, dict.fromkeys(recalled.unstored, recalled.begun))
    assert {one.offset for one in positions.safe("dev/other")} == {0}
    positions.saved(KEY)
    assert {one.topic: one.offset for one in positions.safe("dev/other")} == recalled.ends


async def test_what_retention_took_is_missed(log: memory.MemoryCluster) -> None:
    """Without state and without the first events, what is known is not complete, and says so."""
    await say(log, applied("a"), applied("b"))
    log.retain(APPLY, 1)
    recalled = await recall(log)
    assert not recalled.complete
    assert recalled.lost([KEY, "dev/silent"]) == ["dev/silent", KEY]


async def test_what_was_missed_once_is_missed_until_somebody_tells_it(log: memory.MemoryCluster) -> None:
    """That an owner has stored what is left does not make it whole: the next one misses the same."""
    await say(log, applied("a"), applied("b"))
    log.retain(APPLY, 1)
    recalled = await recall(log)
    await memory.MemoryProducer(log).send_all(
        PLACE.messages(KEY, state.with_header(recalled.known[KEY], safe=state.Positions(recalled.ends).safe(KEY)), ())
    )
    assert not (await recall(log)).complete
    await whole(log)
    assert (await recall(log)).complete


async def test_what_was_stored_after_a_loss_hides_nothing(log: memory.MemoryCluster) -> None:
    """The topic was made anew while an owner lived on: what that wrote since is not all, so everything is folded."""
    await say(log, applied("a"), applied("b"))
    stored = (await recall(log)).known[KEY]
    log.recreate(topics.STATE.name("p"))
    positions = state.Positions({"apply": 2, "drift": 0, "live": 0}).safe(KEY)
    await memory.MemoryProducer(log).send_all(
        PLACE.messages(KEY, state.with_header(stored, safe=positions), [key("b")])
    )
    recalled = await recall(log)
    assert recalled.complete
    assert recalled.known[KEY].inventory() == {key("a"), key("b")}


async def test_where_no_application_ever_was_nothing_is_missed(log: memory.MemoryCluster) -> None:
    """A partition that was only taken over again and again, until retention took the first claims."""
    for member in ("one", "two"):
        await take(log, member)
    await whole(log)
    log.retain(APPLY, 1)
    recalled = await recall(log)
    assert recalled.complete
    assert not recalled.lost([KEY])


async def test_inputs_that_were_taken_in_come_from_their_own_topic(log: memory.MemoryCluster) -> None:
    """The revision that nobody rendered yet, and the request that nobody answered, but none that was."""
    revision = subject_pb2.Revision(source="s", ref="r", commit="new")
    log_of_inputs = [
        control_pb2.RevisionAvailable(application=APP, revision=revision),
        control_pb2.SyncRequested(application=APP, reason="answered"),
        control_pb2.SyncRequested(application=APP, reason="pending"),
        control_pb2.SyncRequested(application=APP, reason="not taken in yet"),
    ]
    ids = [one.event.id for one in await say(log, *log_of_inputs)]
    await say(log, apply_pb2.SyncStarted(application=APP, sync_id="1", cause=ids[1]))
    header = (await recall(log, taken_in=3)).known[KEY].header
    assert header.available.revision.commit == "new"
    assert [one.request.reason for one in header.requests] == ["pending"]
    assert header.control_offset == 3


async def test_an_announcement_that_is_gone_is_what_was_rendered(log: memory.MemoryCluster) -> None:
    """Else nobody would sync the application until the next commit."""
    revision = subject_pb2.Revision(source="s", ref="r", commit="c")
    await say(log, control_pb2.RevisionAvailable(application=APP, revision=revision))
    await say(log, apply_pb2.Rendered(application=APP, revision=revision, parts=1, digest="j1:1"))
    log.retain(stream.TopicPartition(topics.CONTROL.name("p"), NUMBER), 1)
    recalled = await recall(log, taken_in=1)
    assert recalled.known[KEY].header.available.revision.commit == "c"


async def test_the_declaration_of_the_last_sync_is_that_of_the_last_comparison(log: memory.MemoryCluster) -> None:
    """What was declared is no event of reconcile's: without this, nothing new would look like a new declaration."""
    await say(
        log,
        started("1"),
        apply_pb2.SyncFinished(application=APP, sync_id="1", outcome=apply_pb2.SYNC_OUTCOME_SUCCEEDED),
        drift_pb2.Compared(application=APP, settings_digest="s"),
    )
    attempt = (await recall(log)).known[KEY].attempt()
    assert attempt is not None
    assert attempt.settings_digest == "s"


async def test_stored_state_goes_on_from_where_it_was_written(log: memory.MemoryCluster) -> None:
    """Only what was said since is folded, and nothing is counted twice."""
    await say(log, applied("a"))
    known, touched = recalling.fold(state.empty(APP), [recalling.Fact(applied("a"), 1, 0, "e1")])
    positions = state.Positions({"apply": 1, "drift": 0, "live": 0})
    stored = state.with_header(known, safe=positions.safe(KEY))
    await memory.MemoryProducer(log).send_all(PLACE.messages(KEY, stored, touched))
    await whole(log)
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
    await whole(log)
    assert (await recall(log)).topic_epoch == 1


def under(right: ownership.Right, message: Message) -> Message:
    message.fence.CopyFrom(  # type: ignore[attr-defined]
        subject_pb2.Fence(topic_epoch=right.topic_epoch, offset=right.offset)
    )
    return message


async def take(log: memory.MemoryCluster, member: str = "me") -> tuple[recovery.Recalled, ownership.Right]:
    """Recall and claim, as a member does."""
    producer = memory.MemoryProducer(log)
    recover = recovery_of(log)
    recalled = await recover.recall(member)
    voice = emitter.Emitter(
        producer,
        service="reconcile",
        installation=lambda: "00000000-0000-4000-8000-000000000000",
        prefix="p",
        time=log.clock,
        entropy=lambda size: member.encode().ljust(size, b"0"),
    )
    claimant = claiming.Claimant(
        voice=voice, producer=producer, place=PLACE, member=member, permit=lambda: None, failpoint=lambda _: None
    )
    right, _ = await claimant.take_over(recover, recalled)
    return recalled, right


def started(sync: str) -> apply_pb2.SyncStarted:
    return apply_pb2.SyncStarted(application=APP, sync_id=sync)


async def test_what_a_replaced_owner_says_too_late_is_not_recalled(log: memory.MemoryCluster) -> None:
    """Its last word before the claim counts, its first behind it does not, whether state was stored or not."""
    _, first = await take(log, "one")
    await say(log, under(first, applied("a")))
    recalled, second = await take(log, "two")
    await say(log, under(first, started("late")), under(first, applied("b")), since=1)
    assert recalled.known[KEY].inventory() == {key("a")}
    stored = state.with_header(
        recalled.known[KEY],
        safe=state.Positions(recalled.ends).safe(KEY),
        fence=subject_pb2.Fence(offset=second.offset),
    )
    before, _ = await take(log, "three")
    await memory.MemoryProducer(log).send_all(PLACE.under(second).messages(KEY, stored, [key("a")]))
    after, _ = await take(log, "four")
    for one in (before, after):
        assert one.known[KEY].inventory() == {key("a")}
        assert not one.known[KEY].header.HasField("running")
        assert one.known[KEY].header.sequence == 1


async def test_the_first_word_behind_a_claim_decides_for_each_topic(log: memory.MemoryCluster) -> None:
    """What an owner said in a topic before its successor claimed it there counts, though another topic was claimed."""
    _, first = await take(log, "one")
    voice = emitter.Emitter(
        memory.MemoryProducer(log), service="reconcile", installation=lambda: "i", prefix="p", time=log.clock,
        entropy=lambda size: b"x" * size,
    )  # fmt: skip
    claim = apply_pb2.OwnershipTaken(partition=NUMBER, member="two", after=subject_pb2.Fence(offset=first.offset))
    await voice.emit(emitter.Emission(message=claim, key=f"@partition/{NUMBER}", subject="s", name="n"))
    observed = drift_pb2.DriftObserved(application=APP, object=subject_pb2.ObjectRef(kind="ConfigMap", name="a"))
    observed.verdict, observed.phase = drift_pb2.VERDICT_MISSING, drift_pb2.DRIFT_PHASE_OPENED
    observed.episode = "e1"
    await say(log, under(first, observed))
    await say(log, under(first, started("late")), since=1)
    recalled, _ = await take(log, "three")
    assert [one.episode for one in recalled.known[KEY].records.values()] == ["e1"]
    assert not recalled.known[KEY].header.HasField("running")


async def test_a_word_that_was_delivered_twice_counts_once(log: memory.MemoryCluster) -> None:
    """The first copy came late, behind what was said after it: a sync that ended does not run again."""
    ended = apply_pb2.SyncFinished(application=APP, sync_id="1", outcome=apply_pb2.SYNC_OUTCOME_SUCCEEDED)
    await say(log, started("1"), ended)
    await say(log, started("1"))
    assert not (await recall(log)).known[KEY].header.HasField("running")


async def test_a_right_is_greater_than_every_right_before(log: memory.MemoryCluster) -> None:
    """A re-created apply topic that nobody noticed begins a new epoch at the claim."""
    _, first = await take(log, "one")
    await say(log, under(first, applied("a")))
    _, second = await take(log, "two")
    for name in (topics.APPLY.name("p"), topics.DRIFT.name("p"), topics.LIVE.name("p")):
        log.recreate(name)
    _, third = await take(log, "three")
    assert first < second < third
    assert third.topic_epoch == 1


async def test_every_log_of_ours_hears_of_a_claim(log: memory.MemoryCluster) -> None:
    """`OwnershipTaken` stands in apply; the others name its place."""
    _, right = await take(log)
    for topic, kind in ((topics.DRIFT, drift_pb2.DriftOwnershipTaken), (topics.LIVE, live_pb2.LiveOwnershipTaken)):
        (record,) = log.log(stream.TopicPartition(topic.name("p"), NUMBER))
        said = kind.FromString(record.value or b"")
        assert (said.partition, said.member, said.fence.offset) == (NUMBER, "me", right.offset)


async def test_an_application_whose_state_was_lost_is_doubtful(log: memory.MemoryCluster) -> None:
    """It is recalled from the late record and from all that was said and asked since."""
    producer = memory.MemoryProducer(log)
    recalled, first = await take(log, "one")
    await whole(log)
    old, new, newest = (subject_pb2.Revision(source="s", ref="r", commit=name) for name in ("old", "new", "newest"))
    available = control_pb2.RevisionAvailable(application=APP, revision=old)
    early = state.with_header(
        state.empty(APP),
        available=available,
        control_offset=1,
        safe=state.Positions(recalled.ends).safe(KEY),
        fence=subject_pb2.Fence(offset=first.offset),
    )
    _, second = await take(log, "two")
    await say(
        log,
        available,
        control_pb2.RevisionAvailable(application=APP, revision=new, ref_sequence=1),
        control_pb2.RevisionAvailable(application=APP, revision=newest, ref_sequence=2),
        control_pb2.SyncRequested(application=APP, reason="pending"),
    )
    await say(log, under(second, apply_pb2.Rendered(application=APP, revision=new, parts=1, digest="j1:1")))
    await producer.send_all(PLACE.under(first).messages(KEY, early, ()))  # it comes late; ours is compacted away
    found = await recall(log, taken_in=4)
    assert found.lost([KEY]) == [KEY]
    assert found.overwritten == {KEY}
    header = found.known[KEY].header
    assert (header.rendered.digest, header.sequence) == ("j1:1", 1)
    assert header.available.revision.commit == "newest"
    assert [one.request.reason for one in header.requests] == ["pending"]
