"""Following repositories: what ingest says of commits and refs, on the memory adapters."""

import pytest

from decklog.events.v1 import control_pb2, fleet_pb2, git_pb2
from decklog.model import git_objects
from decklog.ports import mirror
from tests.unit.ingest.world import MAIN, World, application_declared, eventually, source_declared


@pytest.fixture
async def world() -> World:
    made = World()
    await made.make_topics()
    return made


def moves(world: World) -> list[tuple[str, str, str, int]]:
    return [(one.ref, one.old, one.new, one.sequence) for one in world.said(git_pb2.RefMoved)]


async def test_the_installation_is_the_first_word(world: World) -> None:
    """An empty fleet topic gets its installation before anything else, once, whatever restarts follow."""
    async with world.running(with_fleet=False):
        await eventually(lambda: world.said(fleet_pb2.InstallationCreated))
    async with world.running(with_fleet=False):
        await eventually(lambda: not world.readiness.reasons)
    assert len(world.records("fleet")) == 1


async def test_a_first_clone(world: World) -> None:
    """Every commit is said, parents first, then the move that reaches them."""
    root = world.infra.commit({"a": b"1"}, message="Root")
    left = world.infra.commit({"a": b"2"}, parents=[root])
    right = world.infra.commit({"b": b"2"}, parents=[root])
    merge = world.infra.commit({"a": b"2", "b": b"2"}, parents=[left, right])
    world.infra.point(MAIN, merge)
    async with world.running(with_fleet=False):
        await world.declare(source_declared())
        await eventually(lambda: world.said(git_pb2.RefMoved))
    said = [one.commit for one in world.said(git_pb2.CommitObserved)]
    assert (said[0], set(said), said[-1], len(said)) == (root, {root, left, right, merge}, merge, 4)
    (move,) = world.said(git_pb2.RefMoved)
    assert (move.old, move.new, move.sequence, move.new_commits, move.forced) == ("", merge, 1, 4, False)


async def test_back_and_forth_are_three_moves(world: World) -> None:
    """A→B→A→B: three moves with three numbers, the rewinds forced, and no commit said again."""
    a = world.infra.commit({"a": b"1"})
    b = world.infra.commit({"a": b"2"}, parents=[a])
    world.infra.point(MAIN, a)
    async with world.running(with_fleet=False):
        await world.declare(source_declared())
        for count, commit in enumerate((a, b, a, b), start=1):
            world.infra.point(MAIN, commit)
            await eventually(lambda count=count: len(moves(world)) == count)
    assert moves(world) == [(MAIN, "", a, 1), (MAIN, a, b, 2), (MAIN, b, a, 3), (MAIN, a, b, 4)]
    assert [one.forced for one in world.said(git_pb2.RefMoved)] == [False, False, True, False]
    assert [one.commit for one in world.said(git_pb2.CommitObserved)] == [a, b]


async def test_a_force_push_tells_only_what_is_new(world: World) -> None:
    """The rewritten commits are said, the common ones are not, and coming back to the old ones says nothing twice."""
    root = world.infra.commit({"a": b"1"})
    old = world.infra.commit({"a": b"old"}, parents=[root])
    new = world.infra.commit({"a": b"new"}, parents=[root])
    async with world.running(with_fleet=False):
        await world.declare(source_declared())
        for count, commit in enumerate((old, new, old), start=1):
            world.infra.point(MAIN, commit)
            await eventually(lambda count=count: len(moves(world)) == count)
    assert [one.commit for one in world.said(git_pb2.CommitObserved)] == [root, old, new]
    assert [one.new_commits for one in world.said(git_pb2.RefMoved)] == [2, 1, 0]


async def test_branches_and_tags_come_and_go(world: World) -> None:
    """New refs, deleted refs and annotated tags are moves; a pattern follows refs that do not exist yet."""
    root = world.infra.commit({"a": b"1"})
    world.infra.point(MAIN, root)
    async with world.running(with_fleet=False):
        await world.declare(source_declared(refs=["refs/heads/*", "refs/tags/*"]))
        await eventually(lambda: len(moves(world)) == 1)
        world.infra.point("refs/tags/v1", root, tag_object="f" * 40)
        await eventually(lambda: len(moves(world)) == 2)
        side = world.infra.commit({"b": b"1"}, parents=[root])
        world.infra.point("refs/heads/side", side)
        await eventually(lambda: len(moves(world)) == 3)
        world.infra.delete("refs/heads/side")
        await eventually(lambda: len(moves(world)) == 4)
        world.infra.point("refs/heads/side", side)
        await eventually(lambda: len(moves(world)) == 5)
    tag, made, gone, back = world.said(git_pb2.RefMoved)[1:]
    assert (tag.ref, tag.new, tag.tag_object, tag.new_commits) == ("refs/tags/v1", root, "f" * 40, 0)
    assert (made.new, made.new_commits, made.sequence) == (side, 1, 1)
    assert (gone.old, gone.new, gone.deleted, gone.sequence) == (side, "", True, 2)
    assert (back.old, back.new, back.new_commits, back.sequence) == ("", side, 0, 3)


async def test_many_tags_at_once(world: World) -> None:
    """A first clone with many tags within one history says each commit once; the tags make no commit new."""
    parents: list[str] = []
    for number in range(20):
        parents = [world.infra.commit({"a": b"%d" % number}, parents=parents)]
        world.infra.point(f"refs/tags/v{number}", parents[0])
    world.infra.point(MAIN, parents[0])
    async with world.running(with_fleet=False):
        await world.declare(source_declared(refs=[MAIN, "refs/tags/*"]))
        await eventually(lambda: len(moves(world)) == 21)
    assert [one.new_commits for one in world.said(git_pb2.RefMoved)] == [20] + [0] * 20
    assert len(world.said(git_pb2.CommitObserved)) == 20


async def test_an_application_is_told(world: World) -> None:
    """A declared application hears of the current head, then of every move of its ref, under its own key."""
    first = world.infra.commit({"a": b"1"})
    world.infra.point(MAIN, first)
    async with world.running(with_fleet=False):
        await world.declare(source_declared(), application_declared())
        await eventually(lambda: len(world.said(control_pb2.RevisionAvailable)) == 1)
        second = world.infra.commit({"a": b"2"}, parents=[first])
        world.infra.point(MAIN, second)
        await eventually(lambda: len(world.said(control_pb2.RevisionAvailable)) == 2)
    told = world.said(control_pb2.RevisionAvailable)
    assert [(one.revision.commit, one.ref_sequence, one.previous) for one in told] == [
        (first, 1, ""),
        (second, 2, first),
    ]
    assert {record.key for record in world.records("control")} == {b"dev/shop"}


async def test_a_changed_declaration_is_told_again(world: World) -> None:
    """Who is declared otherwise gets the head once more; a restart alone tells nobody anything."""
    world.infra.point(MAIN, world.infra.commit({"a": b"1"}))
    async with world.running(with_fleet=False):
        await world.declare(source_declared(), application_declared())
        await eventually(lambda: len(world.said(control_pb2.RevisionAvailable)) == 1)
    async with world.running(with_fleet=False):
        await eventually(lambda: not world.readiness.reasons)
        await world.declare(application_declared(path="other", request="r3"))
        await eventually(lambda: len(world.said(control_pb2.RevisionAvailable)) == 2)
    assert len(world.said(git_pb2.RefMoved)) == 1


async def test_a_move_that_cannot_matter_is_not_announced(world: World) -> None:
    """What the last rendering read is unchanged: nothing is said; the move after it, which changes it, is told."""
    first = world.infra.commit({"apps/a.yaml": b"1", "base/b.yaml": b"1", "docs": b"1"})
    world.infra.point(MAIN, first)
    async with world.running(with_fleet=False) as ingest:
        await world.declare(source_declared(), application_declared())
        await eventually(lambda: world.said(control_pb2.RevisionAvailable))
        tree = world.infra.objects
        paths = {
            path: git_objects.at_path(git_objects.tree_of(tree[first]), path, tree.__getitem__)
            for path in ("apps", "base")
        }
        await world.rendered("shop", first, paths)
        await eventually(lambda: ingest._renderings.get("shop"))
        second = world.infra.commit({"apps/a.yaml": b"1", "base/b.yaml": b"1", "docs": b"2"}, parents=[first])
        world.infra.point(MAIN, second)
        await eventually(lambda: len(moves(world)) == 2)
        third = world.infra.commit({"apps/a.yaml": b"1", "base/b.yaml": b"2", "docs": b"2"}, parents=[second])
        world.infra.point(MAIN, third)
        await eventually(lambda: len(world.said(control_pb2.RevisionAvailable)) == 2)
    assert [one.revision.commit for one in world.said(control_pb2.RevisionAvailable)] == [first, third]


async def test_an_application_may_follow_a_ref_of_its_own(world: World) -> None:
    """The refs of applications are followed beside those that the source names."""
    world.infra.point(MAIN, world.infra.commit({"a": b"1"}))
    world.infra.point("refs/heads/next", world.infra.commit({"a": b"2"}))
    async with world.running(with_fleet=False):
        await world.declare(source_declared(), application_declared(ref="refs/heads/next"))
        await eventually(lambda: world.said(control_pb2.RevisionAvailable))
        await eventually(lambda: {move[0] for move in moves(world)} == {MAIN, "refs/heads/next"})


async def test_a_failure_is_said_once_and_so_is_its_end(world: World) -> None:
    """However often the repository is asked meanwhile, there are two events: it failed, it works again."""
    world.infra.point(MAIN, world.infra.commit({"a": b"1"}))
    world.infra.failure = mirror.Unavailable(mirror.Reason.UNREACHABLE, "no route", where="source infra", hint="Wait")
    async with world.running(with_fleet=False) as ingest:
        await world.declare(source_declared())
        await eventually(lambda: world.said(git_pb2.SourceFailed))
        for _ in range(3):
            asked = world.infra.questions
            ingest.poke("infra")
            await eventually(lambda asked=asked: world.infra.questions > asked)
        world.infra.failure = None
        ingest.poke("infra")
        await eventually(lambda: world.said(git_pb2.RefMoved))
        await eventually(lambda: len(world.said(git_pb2.SourceFailed)) == 2)
    failed, recovered = world.said(git_pb2.SourceFailed)
    assert (failed.failure.reason, failed.recovered) == ("Unreachable", False)
    assert (recovered.recovered, recovered.attempts >= 3) == (True, True)


async def test_a_missing_ref_does_not_hide_the_others(world: World) -> None:
    """The source is said to fail for the ref that is not there; the other ref is followed all the same."""
    world.infra.point(MAIN, world.infra.commit({"a": b"1"}))
    async with world.running(with_fleet=False):
        await world.declare(source_declared(refs=[MAIN, "refs/heads/typo"]))
        await eventually(lambda: world.said(git_pb2.SourceFailed))
    assert [move[0] for move in moves(world)] == [MAIN]
    (failed,) = world.said(git_pb2.SourceFailed)
    assert (failed.failure.reason, failed.failure.refs) == ("RefNotFound", ["refs/heads/typo"])
    assert "refs/heads/typo" in failed.failure.message


async def test_a_missing_ref_slows_nobody_down(world: World) -> None:
    """However long an application's ref is missing, the others of its source are looked for as often as ever."""
    world.infra.point(MAIN, world.infra.commit({"a": b"1"}))
    async with world.running(with_fleet=False):
        await world.declare(
            source_declared(), application_declared(), application_declared("lost", ref="refs/heads/no")
        )
        await eventually(lambda: world.said(git_pb2.SourceFailed))
        looked = world.infra.questions
        await eventually(lambda: world.infra.questions > looked + 20)
        second = world.infra.commit({"a": b"2"}, parents=[world.infra.refs[MAIN].commit])
        world.infra.point(MAIN, second)
        await eventually(lambda: second in [one.revision.commit for one in world.said(control_pb2.RevisionAvailable)])
        assert len(world.said(git_pb2.SourceFailed)) == 1


async def test_one_bad_source_does_not_stop_another(world: World) -> None:
    """A source at a wrong address is a recorded failure; the next one is followed."""
    world.infra.point(MAIN, world.infra.commit({"a": b"1"}))
    async with world.running(with_fleet=False):
        await world.declare(source_declared("broken", "/nowhere"), source_declared())
        await eventually(lambda: world.said(git_pb2.RefMoved) and world.said(git_pb2.SourceFailed))
    (failed,) = world.said(git_pb2.SourceFailed)
    assert (failed.source, failed.failure.reason) == ("broken", "NotARepository")
