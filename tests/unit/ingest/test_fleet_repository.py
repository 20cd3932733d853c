"""The fleet repository: what its documents become, on the memory adapters."""

import pytest

from decklog.events.v1 import control_pb2, fleet_pb2, git_pb2
from decklog.ports import mirror
from tests.unit.ingest.world import (
    FLEET_URL,
    INFRA_URL,
    MAIN,
    World,
    application_declared,
    eventually,
    source_declared,
)

SOURCE = (
    f"apiVersion: decklog.dev/v1\nkind: Source\nmetadata: {{name: infra}}\nspec: {{url: {INFRA_URL}, refs: [main]}}\n"
)


def application(name: str, path: str = "apps", extra: str = "") -> str:
    return (
        f"apiVersion: decklog.dev/v1\nkind: Application\nmetadata: {{name: {name}}}\n"
        f"spec: {{source: infra, ref: main, path: {path}, destCluster: dev{extra}}}\n"
    )


@pytest.fixture
async def world() -> World:
    made = World()
    await made.make_topics()
    made.infra.point(MAIN, made.infra.commit({"apps/a.yaml": b"1"}))
    return made


def push(world: World, files: dict[str, str], message: str = "Declare") -> str:
    parents = [world.fleet.refs[MAIN].commit] if MAIN in world.fleet.refs else []
    oid = world.fleet.commit({path: text.encode() for path, text in files.items()}, parents=parents, message=message)
    world.fleet.point(MAIN, oid)
    return oid


def applications(world: World) -> list[str]:
    return [one.name for one in world.said(fleet_pb2.ApplicationDeclared)]


async def test_documents_become_declarations(world: World) -> None:
    """Sources come before applications, with file, line, commit, an opaque author and the commit's own words."""
    commit = push(
        world, {"infra.yaml": SOURCE, "apps/shop.yml": "# shop\n---\n" + application("shop"), "note.txt": "no"}
    )
    async with world.running():
        await eventually(lambda: world.said(control_pb2.RevisionAvailable))
    (declared,) = world.said(fleet_pb2.ApplicationDeclared)
    origin = declared.origin.git
    assert (origin.file, origin.revision.commit, origin.revision.source) == ("apps/shop.yml", commit, "fleet")
    assert origin.line > 1
    assert (declared.reason, declared.actor.kind) == ("Declare", 2)
    assert "@" not in declared.actor.id
    assert not declared.HasField("before")
    assert [one.name for one in world.said(fleet_pb2.SourceDeclared)] == ["fleet", "infra"]


async def test_only_what_changed_is_declared_again(world: World) -> None:
    """A changed document is one event with before and after; its neighbours, and a moved line, are none."""
    push(world, {"infra.yaml": SOURCE, "a.yaml": application("shop") + "---\n" + application("blog")})
    async with world.running():
        await eventually(lambda: len(applications(world)) == 2)
        push(
            world,
            {
                "infra.yaml": SOURCE,
                "a.yaml": "# moved\n" + application("shop", "other") + "---\n" + application("blog"),
            },
        )
        await eventually(lambda: len(applications(world)) == 3)
    last = world.said(fleet_pb2.ApplicationDeclared)[-1]
    assert (last.name, last.before.path, last.after.path) == ("shop", "apps", "other")


async def test_a_document_that_is_gone_is_a_removal(world: World) -> None:
    """The application leaves with what its declaration says of its objects."""
    push(world, {"infra.yaml": SOURCE, "shop.yaml": application("shop", extra=", onDelete: prune")})
    async with world.running():
        await eventually(lambda: applications(world))
        push(world, {"infra.yaml": SOURCE}, message="Retire the shop")
        await eventually(lambda: world.said(fleet_pb2.ApplicationRemoved))
    (removed,) = world.said(fleet_pb2.ApplicationRemoved)
    assert (removed.name, removed.on_delete, removed.reason) == ("shop", fleet_pb2.ON_DELETE_PRUNE, "Retire the shop")


async def test_a_broken_file_removes_nothing(world: World) -> None:
    """A typing error is refused with file and line; what the file declared before goes on, and so does the rest."""
    push(world, {"infra.yaml": SOURCE, "shop.yaml": application("shop")})
    async with world.running():
        await eventually(lambda: applications(world))
        push(
            world,
            {"infra.yaml": SOURCE, "shop.yaml": application("shop") + "  bad: [\n", "blog.yaml": application("blog")},
        )
        await eventually(lambda: world.said(fleet_pb2.DeclarationRefused))
    (refused,) = world.said(fleet_pb2.DeclarationRefused)
    assert (refused.failure.reason, refused.failure.file) == ("InvalidYaml", "shop.yaml")
    assert refused.failure.line > 0
    assert refused.failure.hint
    assert not world.said(fleet_pb2.ApplicationRemoved)
    assert applications(world) == ["shop", "blog"]


async def test_a_refusal_is_said_once_per_content(world: World) -> None:
    """Neither another commit nor a restart repeats a refusal; mending and breaking it again does."""
    bad = application("shop", extra=", mode: sometimes")
    push(world, {"shop.yaml": bad})
    async with world.running():
        await eventually(lambda: world.said(fleet_pb2.DeclarationRefused))
        push(world, {"shop.yaml": bad, "other.txt": "x"})
        await eventually(lambda: len(world.said(git_pb2.RefMoved)) == 2)
    async with world.running():
        push(world, {"shop.yaml": application("shop")})
        await eventually(lambda: applications(world))
        await eventually(lambda: len(world.said(fleet_pb2.DeclarationRefused)) == 2)
        push(world, {"shop.yaml": bad})
        await eventually(lambda: len(world.said(fleet_pb2.DeclarationRefused)) == 3)
    first, taken_back, again = world.said(fleet_pb2.DeclarationRefused)
    assert (first.kind, first.name, "sometimes" in first.failure.message) == ("Application", "shop", True)
    assert [one.withdrawn for one in (first, taken_back, again)] == [False, True, False]
    assert taken_back.failure == first.failure


async def test_a_name_declared_twice(world: World) -> None:
    """The first document counts, the second is refused and told where the first is."""
    push(world, {"a.yaml": application("shop"), "b.yaml": application("shop", "other")})
    async with world.running():
        await eventually(lambda: world.said(fleet_pb2.DeclarationRefused))
    (refused,) = world.said(fleet_pb2.DeclarationRefused)
    assert (refused.failure.reason, refused.failure.file) == ("DuplicateDeclaration", "b.yaml")
    assert "a.yaml:1" in refused.failure.message


async def test_the_fleet_repository_cannot_redefine_itself(world: World) -> None:
    """Where declarations come from is a setting: a document for it is refused."""
    push(world, {"x.yaml": SOURCE.replace("infra}", "fleet}")})
    async with world.running():
        await eventually(lambda: world.said(fleet_pb2.DeclarationRefused))
    assert world.said(fleet_pb2.DeclarationRefused)[0].failure.reason == "Reserved"
    assert [one.after.url for one in world.said(fleet_pb2.SourceDeclared)] == [FLEET_URL]


@pytest.mark.parametrize("api_first", [True, False])
async def test_git_has_the_last_word(world: World, *, api_first: bool) -> None:
    """Whoever used the API for something that Git declares is told so once, with the file, whatever the order."""
    async with world.running():
        await eventually(lambda: world.said(fleet_pb2.SourceDeclared))
        if api_first:
            await world.declare(source_declared(), application_declared(path="by-api"))
        push(world, {"infra.yaml": SOURCE, "shop.yaml": application("shop", "by-git")})
        await eventually(lambda: len(world.said(git_pb2.RefMoved)) >= 1 and "shop" in applications(world))
        if not api_first:
            await eventually(lambda: len(world.said(fleet_pb2.ApplicationDeclared)) == 1)
            await world.declare(application_declared(path="by-api"))
        await eventually(lambda: any(one.name == "shop" for one in world.said(fleet_pb2.DeclarationRefused)))
    async with world.running():
        await eventually(lambda: not world.readiness.reasons)
    refused = [one for one in world.said(fleet_pb2.DeclarationRefused) if one.name == "shop"]
    assert len(refused) == 1
    assert (refused[0].failure.reason, refused[0].origin.api.request_id) == ("DeclaredInGit", "r2")
    assert "shop.yaml:1" in refused[0].failure.message


async def test_killed_while_declaring(world: World) -> None:
    """A crash between the declarations and the cursor repeats neither declarations nor refusals."""
    push(
        world,
        {"infra.yaml": SOURCE, "shop.yaml": application("shop"), "bad.yaml": application("bad", extra=", mode: x")},
    )
    await world.run_until_killed("ingest.after_declared")
    async with world.running():
        await eventually(lambda: world.said(control_pb2.RevisionAvailable))
    assert applications(world) == ["shop"]
    assert len(world.said(fleet_pb2.DeclarationRefused)) == 1
    assert len(world.said(fleet_pb2.InstallationCreated)) == 1


async def test_ready_means_that_the_fleet_is_declared(world: World) -> None:
    """Until the first pass over the fleet repository is said, ingest is not ready and tells why it cannot be read."""
    unreachable = mirror.Unavailable(
        mirror.Reason.UNREACHABLE, "no route", where="source fleet", hint="Check the network"
    )
    world.fleet.failure = unreachable
    push(world, {"infra.yaml": SOURCE, "shop.yaml": application("shop")})
    async with world.running():
        await eventually(lambda: world.said(git_pb2.SourceFailed))
        await eventually(lambda: world.readiness.reasons == {"fleet repository": "no route. Check the network"})
        world.fleet.failure = None
        await eventually(lambda: not world.readiness.reasons)
        assert applications(world) == ["shop"]
        world.fleet.failure = unreachable
        await eventually(lambda: len(world.said(git_pb2.SourceFailed)) == 3)
        assert not world.readiness.reasons


async def test_an_application_of_the_fleet_repository_with_a_wrong_ref(world: World) -> None:
    """It keeps neither ingest from being ready nor the next commit from declaring."""
    broken = application("lost").replace("source: infra, ref: main", "source: fleet, ref: nowhere")
    push(world, {"lost.yaml": broken})
    async with world.running():
        await eventually(lambda: world.said(git_pb2.SourceFailed))
        await eventually(lambda: not world.readiness.reasons)
        push(world, {"lost.yaml": broken, "infra.yaml": SOURCE, "shop.yaml": application("shop")})
        await eventually(lambda: applications(world) == ["lost", "shop"])


async def test_who_does_not_follow_the_fleet_repository_does_not_wait_for_it(world: World) -> None:
    """Of two members one follows it; the other is ready as soon as it is told so."""
    world.fleet.failure = mirror.Unavailable(mirror.Reason.UNREACHABLE, "no route")
    async with world.running():
        first = world.readiness
        await eventually(lambda: set(first.reasons) == {"fleet repository"})
        async with world.running():
            await eventually(lambda: (not first.reasons) != (not world.readiness.reasons))
