"""Kustomize: overlays with bases beside them, and everything they must not reach for."""

import http.server
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from services.reconcile.render import renderer
from tests import kube
from tests.integration.test_render import config, keys, refused, write

BASE = {
    "base/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: settings, literals: [a=b]}]\n",
    "base/web.yaml": "# service\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n",
}
OVERLAY = {"overlays/dev/kustomization.yaml": "namespace: blog\nnamePrefix: dev-\nresources: [../../base]\n"}


def kustomization(text: str) -> dict[str, str]:
    return {"apps/kustomization.yaml": text}


@pytest.fixture
async def rendering() -> AsyncIterator[renderer.Renderer]:
    async with renderer.Renderer(kube.MASK) as one:
        yield one


async def test_an_overlay_with_a_base_beside_it(rendering, tmp_path):
    """Found by its kustomization file; every folder and file it reaches is an input."""
    rendered = await rendering.render(write(tmp_path, BASE | OVERLAY), "overlays/dev")
    assert [key.partition("-")[0] for key in keys(rendered)] == ["/ConfigMap/blog/dev", "/Service/blog/dev"]
    assert rendered.renderer == "kustomize"
    assert rendered.version.startswith("v5.")
    assert rendered.input_paths == (
        "base",
        "base/kustomization.yaml",
        "base/web.yaml",
        "overlays/dev",
        "overlays/dev/kustomization.yaml",
    )


async def test_objects_are_attributed_to_the_file_that_declares_them(rendering, tmp_path):
    """Renamed or not; generated ones to the kustomization."""
    rendered = await rendering.render(write(tmp_path, BASE | OVERLAY), "overlays/dev")
    assert [(one.file, one.line) for one in rendered.manifests] == [
        ("overlays/dev/kustomization.yaml", 0),
        ("base/web.yaml", 2),
    ]


async def test_a_resource_that_is_no_yaml_is_named_with_its_line(rendering, tmp_path):
    """In the file, not in the document of it where Kustomize's own count begins anew."""
    broken = f"{config('a')}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: b\n"
    tree = write(tmp_path, kustomization("resources: [a.yaml]") | {"apps/a.yaml": broken})
    failure = await refused(rendering, tree, "apps")
    assert (failure.reason, failure.file) == ("InvalidYaml", "apps/a.yaml")
    assert failure.line > config("a").count("\n") + 2


async def test_a_kustomization_that_kustomize_refuses_is_named(rendering, tmp_path):
    """With Kustomize's own words."""
    failure = await refused(rendering, write(tmp_path, kustomization("unknownField: 1")), "apps")
    assert failure.file == "apps/kustomization.yaml"
    assert 'unknown field "unknownField"' in failure.problem


async def test_the_renderer_can_be_chosen(rendering, tmp_path):
    """Plain leaves the kustomization out; Kustomize wants one."""
    tree = write(tmp_path, BASE | {"apps/a.yaml": config("a")})
    assert keys(await rendering.render(tree, "base", "plain")) == ["/Service//web"]
    assert (await refused(rendering, tree, "apps", "kustomize")).reason == "NotAKustomization"


REMOTE = [
    "resources: [https://example.com/base.yaml]",
    "resources: [github.com/org/repo//base?ref=v1]",
    "resources: ['git@github.com:org/repo.git']",
    "resources: ['https://user:hunter2@github.com/org/repo']",
    "bases: [git::https://example.com/repo]",
    "components: ['ssh://git@example.com/repo']",
    "crds: [http://example.com/crd.json]",
    "patches: [{path: 'https://example.com/p.yaml'}]",
    "patchesStrategicMerge: ['https://example.com/p.yaml']",
    "replacements: [{path: 'https://example.com/r.yaml'}]",
    "transformers: ['https://example.com/t.yaml']",
    "configMapGenerator: [{name: a, files: ['x=https://example.com/f']}]",
    "secretGenerator: [{name: a, envs: ['https://example.com/e']}]",
    "openapi: {path: 'https://example.com/o.json'}",
]


@pytest.mark.parametrize("line", REMOTE)
async def test_remote_references_are_refused_before_anything_runs(rendering, tmp_path, line):
    """With file and line, without the password of the URL."""
    tree = write(tmp_path, {"apps/kustomization.yaml": f"# remote\n{line}\n"})
    failure = await refused(rendering, tree)
    assert (failure.reason, failure.file, failure.line) == ("RemoteBaseRefused", "apps/kustomization.yaml", 2)
    assert "hunter2" not in str(failure)


async def test_a_remote_reference_in_a_base_is_found(rendering, tmp_path):
    """However deep."""
    tree = write(tmp_path, OVERLAY | {"base/kustomization.yaml": "resources: [https://example.com/x]\n"})
    failure = await refused(rendering, tree, "overlays/dev")
    assert (failure.reason, failure.file) == ("RemoteBaseRefused", "base/kustomization.yaml")


A, B = {"apps/a.yaml": config("a")}, {"apps/b.yaml": config("a")}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (kustomization("resources: [gone.yaml]"), "FileNotFound"),
        (kustomization("resources: [../base]") | {"base/a.yaml": config("a")}, "NotAKustomization"),
        (kustomization("resources: [../b]") | {"b/kustomization.yaml": "resources: [../apps]"}, "KustomizeCycle"),
        (kustomization("helmCharts: [{name: x, repo: https://example.com}]"), "PluginRefused"),
        (kustomization("resources: [a\nb"), "InvalidYaml"),
        (kustomization("[]"), "InvalidKustomization"),
        (kustomization("resources: [a.yaml]") | {"apps/a.yaml": "kind: [}"}, "InvalidYaml"),
        (kustomization("resources: [a.yaml, b.yaml]") | A | B, "KustomizeFailed"),
        (kustomization("resources: [../x/a.yaml]") | {"x/a.yaml": config("a")}, "KustomizeFailed"),
        (kustomization("unknownField: 1"), "KustomizeFailed"),
    ],
)
async def test_what_kustomize_cannot_build_is_a_failure(rendering, tmp_path, files, reason):
    """Each says what to do."""
    assert (await refused(rendering, write(tmp_path, files))).reason == reason


async def test_a_reference_out_of_the_tree_is_refused(rendering, tmp_path):
    """By `..` or by a link."""
    (tmp_path / "outside").mkdir()
    tree = write(tmp_path / "tree", {"apps/kustomization.yaml": "resources: [../../outside]\n"})
    assert (await refused(rendering, tree)).reason == "SymlinkOutsideTree"
    (tree / "apps/base").symlink_to("/etc")
    write(tree, {"apps/kustomization.yaml": "resources: [base]\n"})
    assert (await refused(rendering, tree)).reason == "SymlinkOutsideTree"


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2-hunter2}\n"
WITH = {"apps/s.yaml": SECRET}
PATCH = "resources: [s.yaml]\npatches:\n- target: {kind: Secret}\n  "
SECRETIVE = [
    kustomization("secretGenerator: [{name: s, literals: [hunter2-hunter2]}]"),
    kustomization("secretGenerator: [{name: s, literals: ['=hunter2-hunter2']}]"),
    kustomization(f"{PATCH}patch: hunter2-hunter2") | WITH,
    kustomization(f"{PATCH}patch: |-\n    stringData: {{password: hunter2-hunter2}}\n    kind: [\n") | WITH,
    kustomization(f"{PATCH}path: p.json")
    | {**WITH, "apps/p.json": '[{"op": "test", "path": "/data/x", "value": "hunter2-hunter2"}]'},
    kustomization("resources: [s.yaml]") | {"apps/s.yaml": SECRET + "x: [hunter2-hunter2\n"},
    kustomization("resources: [s.yaml, t.yaml]") | WITH | {"apps/t.yaml": SECRET},
]


@pytest.mark.parametrize("files", SECRETIVE)
async def test_secrets_do_not_show_in_failures(rendering, tmp_path, files):
    """Kustomize quotes what it cannot use."""
    failure = await refused(rendering, write(tmp_path, files))
    assert failure.reason in ("KustomizeFailed", "FileNotFound", "InvalidYaml")
    assert "hunter2" not in str(failure)


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that tells what was asked of it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_url_hidden_in_a_plugins_configuration_reaches_nobody(rendering, tmp_path, listener):
    """The walk does not see it; the renderer has no network to fetch it through."""
    url, asked = listener
    plugin = f"apiVersion: builtin\nkind: PatchTransformer\nmetadata: {{name: p}}\npath: {url}/p.yaml\n"
    files = kustomization("resources: [a.yaml]\ntransformers: [t.yaml]\n") | A | {"apps/t.yaml": plugin}
    tree = write(tmp_path, files)
    assert (await refused(rendering, tree)).reason == "KustomizeFailed"
    assert asked == []
