"""Restarts: whatever moment ingest dies at, the next one says what is missing and nothing twice."""

import asyncio

import pytest

from decklog.events.v1 import control_pb2, git_pb2
from decklog.model import topics
from decklog.ports import stream as port
from tests.unit.ingest.world import MAIN, PREFIX, World, application_declared, eventually, source_declared

FAILPOINTS = [
    "ingest.after_commits",
    "ingest.before_ref_moved",
    "ingest.after_ref_moved",
    "ingest.after_announced",
    "ingest.before_cursor",
]


@pytest.fixture
async def world() -> World:
    made = World()
    await made.make_topics()
    async with made.running(with_fleet=False):
        await made.declare(source_declared(refs=[MAIN, "refs/heads/side"]), application_declared())
        await eventually(lambda: made.said(git_pb2.SourceFailed))
    return made


def grow(world: World) -> tuple[str, str]:
    """Two branches with common history: which two commits they point to."""
    root = world.infra.commit({"a": b"1"})
    main = world.infra.commit({"a": b"2"}, parents=[root])
    side = world.infra.commit({"a": b"3"}, parents=[root])
    world.infra.point(MAIN, main)
    world.infra.point("refs/heads/side", side)
    return main, side


def check(world: World) -> None:
    """Each commit, each move and each announcement was said once, the moves in sequence."""
    for label in ("git", "control"):
        identifiers = world.ids(label)
        assert len(identifiers) == len(set(identifiers))
    moves = [(one.ref, one.sequence) for one in world.said(git_pb2.RefMoved)]
    assert len(moves) == len(set(moves))
    told = [(one.application.application, one.ref_sequence) for one in world.said(control_pb2.RevisionAvailable)]
    assert len(told) == len(set(told))


@pytest.mark.parametrize("failpoint", FAILPOINTS)
async def test_killed_in_a_first_clone(world: World, failpoint: str) -> None:
    """Killed anywhere in a first clone: after the restart everything was said once, and counted right."""
    main, side = grow(world)
    await world.run_until_killed(failpoint, with_fleet=False)
    async with world.running(with_fleet=False):
        await eventually(lambda: len(world.said(git_pb2.RefMoved)) == 2)
        await eventually(lambda: world.said(control_pb2.RevisionAvailable))
        await eventually(lambda: world.said(git_pb2.SourceFailed)[-1].recovered)
    check(world)
    assert [(one.new, one.new_commits) for one in world.said(git_pb2.RefMoved)] == [(main, 2), (side, 1)]
    assert len(world.said(git_pb2.CommitObserved)) == 3


@pytest.mark.parametrize("failpoint", FAILPOINTS)
async def test_killed_while_following(world: World, failpoint: str) -> None:
    """Killed while a later move is told: the same."""
    main, _ = grow(world)
    async with world.running(with_fleet=False):
        await eventually(lambda: world.said(git_pb2.SourceFailed)[-1].recovered)
    newer = world.infra.commit({"a": b"4"}, parents=[main])
    world.infra.point(MAIN, newer)
    await world.run_until_killed(failpoint, with_fleet=False)
    async with world.running(with_fleet=False):
        await eventually(lambda: world.said(control_pb2.RevisionAvailable)[-1].revision.commit == newer)
    check(world)
    assert world.said(git_pb2.RefMoved)[-1].sequence == 2


async def test_the_ref_went_elsewhere_while_ingest_was_dead(world: World) -> None:
    """Commits that were said ahead of a move that never came are not said again when a ref reaches them later."""
    main, _ = grow(world)
    await world.run_until_killed("ingest.before_ref_moved", with_fleet=False)
    other = world.infra.commit({"z": b"1"})
    world.infra.point(MAIN, other)
    world.infra.delete("refs/heads/side")
    async with world.running(with_fleet=False):
        await eventually(lambda: world.said(git_pb2.RefMoved))
        world.infra.point("refs/heads/side", main)
        await eventually(lambda: len(world.said(git_pb2.RefMoved)) == 2)
    check(world)
    assert sorted(one.commit for one in world.said(git_pb2.CommitObserved)).count(main) == 1


async def test_a_new_mirror_after_a_force_push(world: World) -> None:
    """Another member with an empty mirror, and the old head is gone: what both histories share is not said again."""
    root = world.infra.commit({"a": b"1"})
    world.infra.point(MAIN, world.infra.commit({"a": b"2"}, parents=[root]))
    async with world.running(with_fleet=False):
        await eventually(lambda: world.said(control_pb2.RevisionAvailable))
    rewritten = world.infra.commit({"a": b"3"}, parents=[root])
    world.infra.point(MAIN, rewritten)
    async with world.running(with_fleet=False):
        await eventually(lambda: len(world.said(git_pb2.RefMoved)) == 2)
    check(world)
    move = world.said(git_pb2.RefMoved)[-1]
    assert (move.forced, move.new_commits, move.new) == (True, 1, rewritten)


async def test_a_lost_cursor_is_read_back_from_the_events(world: World) -> None:
    """Without any cursor ingest knows from its own events what it said: nothing is said twice."""
    main, _ = grow(world)
    async with world.running(with_fleet=False):
        await eventually(lambda: world.said(git_pb2.SourceFailed)[-1].recovered)
    before = len(world.records("git"))
    world.cluster.recreate(topics.CURSOR.name(PREFIX))
    async with world.running(with_fleet=False) as ingest:
        await eventually(lambda: ingest.poke("infra"))
        newer = world.infra.commit({"a": b"9"}, parents=[main])
        world.infra.point(MAIN, newer)
        await eventually(lambda: world.said(control_pb2.RevisionAvailable)[-1].revision.commit == newer)
    check(world)
    assert len(world.records("git")) == before + 2


async def test_the_cursor_moves_last(world: World) -> None:
    """While Kafka does not acknowledge the events, the cursor speaks of none of them."""
    grow(world)
    known = len(world.records("cursor"))
    await world.run_until_killed("ingest.before_cursor", with_fleet=False)
    assert len(world.records("cursor")) == known
    assert len(world.said(git_pb2.RefMoved)) == 2


async def test_kafka_is_down_for_a_while(world: World) -> None:
    """Nothing is lost by an outage, readiness says what is waited for, and lost acknowledgements double nothing."""
    grow(world)
    async with world.running(with_fleet=False):
        world.cluster.go_down()
        await eventually(lambda: world.readiness.reasons)
        world.cluster.come_up()
        world.cluster.drop_sends(2)
        await eventually(lambda: len(world.said(git_pb2.RefMoved)) == 2)
        await eventually(lambda: not world.readiness.reasons)
    check(world)


async def test_a_lost_acknowledgement_repeats_the_same_event(world: World) -> None:
    """What is sent again after a doubtful acknowledgement has the same id and bytes: a duplicate to the ledger."""
    grow(world)
    world.cluster.lose_acks(1)
    async with world.running(with_fleet=False):
        await eventually(lambda: world.said(git_pb2.SourceFailed)[-1].recovered)
    by_id: dict[tuple[str, str], set[bytes]] = {}
    for identifier, record in zip(world.ids("git"), world.records("git"), strict=True):
        by_id.setdefault(identifier, set()).add(record.value or b"")
    assert all(len(values) == 1 for values in by_id.values())
    assert len(by_id) < len(world.records("git"))


async def test_two_members_share_the_sources(world: World) -> None:
    """With a second member each source is followed once; when one leaves, the other takes over where it was."""
    grow(world)
    first = asyncio.Event()
    one = world.ingest(with_fleet=False)
    task = asyncio.create_task(one.run(first))
    await eventually(lambda: world.said(git_pb2.SourceFailed)[-1].recovered)
    async with world.running(with_fleet=False) as other:
        await eventually(lambda: one.poke("infra") != other.poke("infra"))
        first.set()
        await task
        await eventually(lambda: other.poke("infra"))
        world.infra.point(MAIN, world.infra.commit({"n": b"1"}))
        await eventually(lambda: world.said(git_pb2.RefMoved)[-1].sequence == 2)
    check(world)


async def test_a_paused_member_says_nothing_after_its_session(world: World) -> None:
    """A member that the group gave up, and that does not know it yet, stops by its own clock."""
    grow(world)
    async with world.running(with_fleet=False) as ingest:
        await eventually(lambda: world.said(git_pb2.SourceFailed)[-1].recovered)
        world.expire_lease()
        world.infra.point(MAIN, world.infra.commit({"n": b"1"}))
        await eventually(lambda: not ingest.poke("infra"))
    assert len(world.said(git_pb2.RefMoved)) == 2


def test_topics_are_keyed_alike() -> None:
    """A source's cursor and its events share a partition number: who owns the one may speak in the other."""
    names = [f"source-{number}" for number in range(50)]
    assert all(
        topics.expected_partition(topics.GIT, name) == topics.expected_partition(topics.CURSOR, name) for name in names
    )
    assert port.TopicPartition(topics.GIT.name(PREFIX), 0).topic == "decklog.git.v1"
