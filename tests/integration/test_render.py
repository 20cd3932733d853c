"""Rendering in its real process: plain folders, Kustomize, and every way in which a tree can be wrong or hostile."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from decklog.model import objects
from services.reconcile.render import renderer
from tests import kube

LIMITS = renderer.RenderLimits(seconds=20.0)


def config(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: b}}\n"


def write(tree: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tree


def running(pid: int) -> bool:
    """Whether the process exists and has not ended."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z" not in stat.read_text()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to be within ten seconds")


@pytest.fixture
async def rendering() -> AsyncIterator[renderer.Renderer]:
    async with renderer.Renderer(kube.MASK, limits=LIMITS) as one:
        yield one


async def refused(
    rendering: renderer.Renderer, tree: Path, path: str = "apps", kind: str = "auto"
) -> renderer.RenderFailure:
    with pytest.raises(renderer.RenderFailure) as caught:
        await rendering.render(tree, path, kind)
    assert caught.value.hint
    assert str(tree) not in str(caught.value), "where a tree was exported to is nobody's business"
    return caught.value


def keys(rendered: renderer.Rendered) -> list[str]:
    return [str(objects.key(one.object)) for one in rendered.manifests]


async def test_a_plain_folder_is_all_its_manifests_in_order(rendering, tmp_path):
    """Below it, too; hidden files, other files and kustomizations of other folders are no manifests."""
    tree = write(
        tmp_path,
        {
            "apps/b.yaml": config("b"),
            "apps/a.yml": f"# a comment\n---\n{config('a1')}---\n{config('a2')}",
            "apps/sub/c.json": '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c"}}',
            "apps/.hidden/x.yaml": "no: manifest",
            "apps/.x.yaml": "no: manifest",
            "apps/README.md": "# no manifest",
            "apps/sub/kustomization.yaml": "resources: []",
            "other/d.yaml": "no: manifest",
        },
    )
    rendered = await rendering.render(tree, "apps")
    assert keys(rendered) == ["/ConfigMap//a1", "/ConfigMap//a2", "/ConfigMap//b", "/Pod//c"]
    assert [(one.file, one.line) for one in rendered.manifests][:2] == [("apps/a.yml", 3), ("apps/a.yml", 8)]
    assert (rendered.renderer, rendered.input_paths) == ("plain", ("apps",))


async def test_the_root_and_a_single_file_can_be_rendered(rendering, tmp_path):
    """An empty path is the root."""
    tree = write(tmp_path, {"a.yaml": config("a"), "b.yaml": config("b")})
    assert keys(await rendering.render(tree, "")) == ["/ConfigMap//a", "/ConfigMap//b"]
    single = await rendering.render(tree, "b.yaml")
    assert (keys(single), single.input_paths) == (["/ConfigMap//b"], ("b.yaml",))


async def test_an_empty_folder_is_an_empty_render(rendering, tmp_path):
    """Not a failure: what it means for pruning is decided elsewhere."""
    assert (await rendering.render(write(tmp_path, {"apps/README.md": "soon"}), "apps")).manifests == ()


async def test_links_inside_the_tree_are_followed_and_count_as_inputs(rendering, tmp_path):
    """A change of what they lead to is a change of the application."""
    tree = write(tmp_path, {"apps/a.yaml": config("a"), "shared/s.yaml": config("s"), "more/m.yaml": config("m")})
    (tree / "apps/s.yaml").symlink_to("../shared/s.yaml")
    (tree / "apps/more").symlink_to("../more")
    (tree / "apps/self").symlink_to(".")
    rendered = await rendering.render(tree, "apps")
    assert keys(rendered) == ["/ConfigMap//a", "/ConfigMap//m", "/ConfigMap//s"]
    assert rendered.input_paths == ("apps", "more/m.yaml", "shared/s.yaml")


async def test_warnings_name_their_place(rendering, tmp_path):
    """A doubled key works, and is hardly meant."""
    tree = write(tmp_path, {"apps/a.yaml": config("a") + "kind: ConfigMap\n"})
    assert (await rendering.render(tree, "apps")).warnings == (
        "apps/a.yaml:5: kind is given twice: the last one holds",
    )


async def test_a_wrong_path_names_the_nearest_folder(rendering, tmp_path):
    """And what is in it."""
    tree = write(tmp_path, {"deploy/apps/a.yaml": config("a"), "deploy/base/b.yaml": config("b")})
    failure = await refused(rendering, tree, "deploy/app")
    assert (failure.reason, failure.hint) == (
        "PathNotFound",
        "the nearest folder that exists is deploy, which holds apps, base",
    )


@pytest.mark.parametrize("path", ["../etc", "apps/../../etc", ".."])
async def test_a_path_out_of_the_tree_is_refused(rendering, tmp_path, path):
    """Whatever is there."""
    failure = await refused(rendering, write(tmp_path / "tree", {"apps/a.yaml": config("a")}), path)
    assert failure.reason == "PathOutsideTree"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret.yaml", "/nowhere"])
async def test_a_link_out_of_the_tree_is_refused(rendering, tmp_path, target):
    """It is named, and not read."""
    (tmp_path / "secret.yaml").write_text(config("secret"))
    tree = write(tmp_path / "tree", {"apps/a.yaml": config("a")})
    (tree / "apps/x.yaml").symlink_to(target)
    failure = await refused(rendering, tree)
    assert failure.reason in ("SymlinkOutsideTree", "BrokenSymlink")
    assert failure.file == "apps/x.yaml"


async def test_a_path_that_is_a_link_out_of_the_tree_is_refused(rendering, tmp_path):
    """The folder itself may be the trap."""
    tree = write(tmp_path / "tree", {"b/a.yaml": config("a")})
    (tree / "apps").symlink_to("/etc")
    assert (await refused(rendering, tree)).reason == "SymlinkOutsideTree"


async def test_invalid_yaml_has_file_and_line(rendering, tmp_path):
    """What a user needs to mend it."""
    failure = await refused(rendering, write(tmp_path, {"apps/a.yaml": config("a") + "x: [1\ny: 2\n"}))
    assert (failure.reason, failure.file, failure.line) == ("InvalidYaml", "apps/a.yaml", 6)


async def test_a_pipe_among_the_manifests_is_refused_not_waited_for(rendering, tmp_path):
    """Git cannot hold one; a tree may."""
    tree = write(tmp_path, {"apps/a.yaml": config("a")})
    os.mkfifo(tree / "apps/pipe.yaml")
    assert (await refused(rendering, tree)).reason == "NotAFile"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"file": 100}, "FileTooLarge"),
        ({"total": 150}, "TreeTooLarge"),
        ({"files": 1}, "TooManyFiles"),
        ({"objects": 1}, "TooManyObjects"),
        ({"answer": 1000}, "OutputTooLarge"),
    ],
)
async def test_limits_are_failures_that_name_themselves(tmp_path, limits, reason):
    """Each of them."""
    tree = write(tmp_path, {"apps/a.yaml": config("a"), "apps/b.yaml": config("b") + "#" * 60})
    if reason == "OutputTooLarge":
        write(tree, {"apps/c.yaml": config("c") + f"x: {'y' * 2000}\n"})
    async with renderer.Renderer(kube.MASK, limits=renderer.RenderLimits(**limits)) as one:
        assert (await refused(one, tree)).reason == reason


async def test_a_tree_that_needs_too_much_memory_is_stopped(tmp_path):
    """The service and the next render do not notice."""
    text = config("a") + "x: [" + ",".join(["[a, b, c]"] * 200_000) + "]\n"
    tree = write(tmp_path, {"apps/a.yaml": text, "small/a.yaml": config("a")})
    limits = renderer.RenderLimits(memory=96 * 1024 * 1024)
    async with renderer.Renderer(kube.MASK, limits=limits) as one:
        assert (await refused(one, tree)).reason in ("MemoryLimit", "RendererDied")
        assert keys(await one.render(tree, "small")) == ["/ConfigMap//a"]


async def test_a_render_that_takes_too_long_is_killed_with_all_it_started(tmp_path):
    """A kubectl that never ends, here."""
    tree = write(tmp_path, {"apps/kustomization.yaml": "resources: [a.yaml]\n", "apps/a.yaml": config("a")})
    slow = tmp_path / "kubectl"
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec /bin/sleep 600\n")
    slow.chmod(0o755)
    limits = renderer.RenderLimits(seconds=2.0)
    async with renderer.Renderer(kube.MASK, limits=limits, kubectl=str(slow)) as one:
        assert (await refused(one, tree)).reason == "Timeout"
    await until(lambda: not running(int((tmp_path / "pid").read_text())))


async def test_processor_time_is_limited(tmp_path):
    """Also of what is started."""
    tree = write(tmp_path, {"apps/kustomization.yaml": "resources: [a.yaml]\n", "apps/a.yaml": config("a")})
    busy = tmp_path / "kubectl"
    busy.write_text("#!/bin/sh\nwhile :; do :; done\n")
    busy.chmod(0o755)
    limits = renderer.RenderLimits(seconds=30.0, cpu_seconds=1)
    async with renderer.Renderer(kube.MASK, limits=limits, kubectl=str(busy)) as one:
        assert (await refused(one, tree)).reason in ("Timeout", "KustomizeFailed")


async def test_a_worker_that_dies_is_replaced(rendering, tmp_path):
    """The next render has another one."""
    tree = write(tmp_path, {"apps/a.yaml": config("a")})
    await rendering.render(tree, "apps")
    os.kill(rendering._idle[0]._process.pid, signal.SIGKILL)
    failure = await refused(rendering, tree)
    assert (failure.reason, failure.transient) == ("RendererDied", True)
    assert keys(await rendering.render(tree, "apps")) == ["/ConfigMap//a"]


async def test_a_cancelled_render_leaves_no_process(tmp_path):
    """Shutdown is one of the reasons."""
    tree = write(tmp_path, {"apps/kustomization.yaml": "resources: [a.yaml]\n", "apps/a.yaml": config("a")})
    slow = tmp_path / "kubectl"
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec /bin/sleep 600\n")
    slow.chmod(0o755)
    async with renderer.Renderer(kube.MASK, limits=LIMITS, kubectl=str(slow)) as one:
        task = asyncio.create_task(one.render(tree, "apps"))
        await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: not running(int((tmp_path / "pid").read_text())))


async def test_several_trees_render_at_once(tmp_path):
    """More than there are workers; each gets its own answer."""
    trees = [write(tmp_path / f"t{number}", {"apps/a.yaml": config(f"n{number}")}) for number in range(6)]
    async with renderer.Renderer(kube.MASK, limits=LIMITS, workers=2) as one:
        found = await asyncio.gather(*(one.render(tree, "apps") for tree in trees))
    assert [keys(each) for each in found] == [[f"/ConfigMap//n{number}"] for number in range(6)]


async def test_a_helm_chart_is_called_one(rendering, tmp_path):
    """Whoever points at a chart is told so, instead of what its first file lacks."""
    failure = await refused(rendering, write(tmp_path, {"apps/Chart.yaml": "apiVersion: v2\nname: web\n"}))
    assert (failure.reason, "helm template" in failure.hint) == ("HelmChart", True)
