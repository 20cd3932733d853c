"""Promise 6 on the shipped services and real servers: secrets go in wherever people put them, and none comes out."""

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import stack as stacks
from tests.faults import whole as wholes
from tests.faults.whole import Whole
from tests.promises import canaries, leaving

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
SERVICES = ("ingest", "reconcile", "audit")
NAMESPACE = "canaries"
APPLICATIONS = ("canaries", "broken", "generated", "garbled")


@dataclass(frozen=True, slots=True)
class Play:
    """A whole stack, a repository of its own, and the secrets that go in."""

    whole: Whole
    tree: Path
    cage: canaries.Cage
    visitor: leaving.Visitor

    def commit(self, files: Mapping[str, str | None]) -> str:
        """Write (None: delete) files and commit them; the commit."""
        for name, text in files.items():
            file = self.tree / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True) if text is None else file.write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", "Change")
        (trigger,) = operations(self, "/trigger", "ingest")
        self.visitor.ask_to("POST", f"{trigger}?source={self.tree.name}", None)
        return self._git("rev-parse", "HEAD")

    def _git(self, *arguments: str) -> str:
        return self.whole.run("git", "-C", str(self.tree), *IDENTITY, *arguments).strip()

    def declare(self, name: str) -> None:
        """An application of the folder of that name."""
        self.whole.run("decklog", "app", "create", name, "--repo", str(self.tree), "--path", name, "--dest-cluster",
                       "dev", "--dest-namespace", NAMESPACE, "--mode", "heal", "--prune")  # fmt: skip

    def kubectl(self, *arguments: str) -> str:
        """Change something by hand."""
        return self.whole.run("kubectl", "--namespace", NAMESPACE, *arguments)

    def moments(self, *, kind: str, app: str = "") -> list[Any]:
        """Lines of the timeline."""
        scope = ("--app", app) if app else ()
        found: list[Any] = self.whole.ask("timeline", "--kind", kind, *scope, "--limit", "1000")
        return found

    def until(self, holds: Callable[[], object]) -> None:
        """Wait for what must come true."""
        stacks.eventually(lambda: bool(holds()), 120.0, 0.5)


def manifest(kind: str, name: str, **parts: object) -> str:
    """A manifest; JSON is YAML, and escapes what a secret holds."""
    version = "apps/v1" if kind == "Deployment" else "v1"
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name}, **parts}, ensure_ascii=False)


def objects(cage: canaries.Cage) -> dict[str, str]:
    """Manifests with a secret wherever Kubernetes lets people put one."""
    container = {
        "name": "web",
        "image": "registry.example/web:1",
        "args": [f"--password={cage.argument.plain}"],
        "env": [{"name": "API_TOKEN", "value": cage.variable.value}],
    }
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    settings = {"db-password": cage.entry.value, "url": f"postgres://shop:{cage.userinfo.plain}@db/shop", "note": "x"}
    return {
        "canaries/namespace.yaml": manifest("Namespace", NAMESPACE),
        "canaries/secret.yaml": manifest(
            "Secret", "plain", data={"one": cage.data.encoded}, stringData={"two": cage.text.value}
        ),
        "canaries/settings.yaml": manifest("ConfigMap", "settings", data=settings),
        "canaries/web.yaml": manifest(
            "Deployment", "web", spec={"selector": {"matchLabels": {"app": "web"}}, "template": template}
        ),
    }


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """A stack of this file alone."""
    home = tmp_path_factory.mktemp("canaries")
    with wholes.running(home / "stack") as whole:
        whole.ready(*SERVICES)
        given = whole.environment()
        token = Path(given["DECKLOG_TOKEN_FILE"]).read_text().strip()
        tree = home / "repository"
        whole.run("git", "init", "--quiet", "--initial-branch", "main", str(tree))
        yield Play(whole, tree, canaries.Cage(), leaving.Visitor(given["DECKLOG_SERVER"], token))


def test_no_secret_leaves(play: Play) -> None:
    """Not in a record, a row, a log line, an answer, a page or a span; whatever was done with it."""
    deliver(play)
    change_by_hand(play)
    be_refused(play)
    break_files(play)
    declare_with_credentials(play)
    tell_in_a_command(play)
    knock(play)
    sightings = list(play.cage.sightings(asyncio.run(everything(play))))
    assert not sightings, "a secret leaves unmasked:\n" + "\n".join(sorted({str(one) for one in sightings}))


def deliver(play: Play) -> None:
    """What Git holds, rendered, recorded and applied; and it is really there."""
    play.commit(objects(play.cage))
    play.declare("canaries")
    play.until(lambda: settled(play))
    applied = json.loads(play.kubectl("get", "secret", "plain", "--output", "json"))
    assert applied["data"]["one"] == play.cage.data.encoded, "what is applied is not masked"


def settled(play: Play) -> bool:
    """In sync and healthy, with every object."""
    found = play.whole.ask("app", "get", "canaries")
    return (found["sync_status"], found["health"], found["objects"]) == ("in_sync", "healthy", 4)


def change_by_hand(play: Play) -> None:
    """Drift of a Secret, a ConfigMap and an environment, and an annotation that repeats what was applied."""
    cage, drifts = play.cage, len(play.moments(kind="DriftObserved", app="canaries"))
    play.kubectl("patch", "secret", "plain", "--patch", json.dumps({"stringData": {"two": cage.drifted.value}}))
    play.kubectl("patch", "configmap", "settings", "--patch", json.dumps({"data": {"db-password": cage.edited.value}}))
    play.kubectl("set", "env", "deployment/web", f"API_TOKEN={cage.set.plain}")
    applied = json.dumps({"data": {"note": cage.applied.value}})
    play.kubectl("annotate", "configmap", "settings", f"kubectl.kubernetes.io/last-applied-configuration={applied}")
    play.until(lambda: len(play.moments(kind="DriftObserved", app="canaries")) >= drifts + 6 and settled(play))


def be_refused(play: Play) -> None:
    """The API server quotes what it refuses: the value where text must stand, and what should have been base64."""
    cage = play.cage
    shaped = manifest("Secret", "refused", stringData={"password": {"nested": cage.refused.value}})
    garbled = manifest("Secret", "refused", data={"password": f"*{cage.garbled.plain}"})
    quoted = subprocess.run(
        ["kubectl", "apply", "--server-side", "--namespace", NAMESPACE, "--filename", "-"],
        input=shaped, env=play.whole.environment(), capture_output=True, text=True, check=False,
    ).stderr  # fmt: skip
    assert cage.refused.plain in quoted, "this proves something only where the API server quotes the value"
    for text in (shaped, garbled):
        commit = play.commit({"canaries/refused.yaml": text})
        play.until(lambda commit=commit: failed_at(play, commit))  # type: ignore[misc]
    play.commit({"canaries/refused.yaml": None})
    play.until(lambda: settled(play))


def failed_at(play: Play, commit: str) -> bool:
    """Whether a sync to that commit failed, with the reason."""
    syncs = play.whole.ask("app", "get", "canaries")["syncs"]
    return any(one["commit"] == commit and one["outcome"] == "failed" for one in syncs)


def break_files(play: Play) -> None:
    """Files that cannot be read, with the secret on the very line: YAML, and what Kustomize makes secrets of."""
    cage = play.cage
    unclosed = f'kind: Secret\nstringData:\n  password: "{cage.broken.plain}\n  other: [x\n'
    play.commit(
        {
            "broken/secret.yaml": unclosed,
            "generated/kustomization.yaml": json.dumps(
                {"secretGenerator": [{"name": "made", "literals": [f"password={cage.generated.plain}"]}]}
            ),
            "garbled/kustomization.yaml": json.dumps(
                {"secretGenerator": [{"name": "made", "literals": [cage.literal.plain]}]}
            ),
        }
    )
    for name in APPLICATIONS[1:]:
        play.declare(name)
    for name in ("broken", "garbled"):
        play.until(lambda name=name: play.moments(kind="RenderFailed", app=name))  # type: ignore[misc]
    play.until(lambda: play.moments(kind="SyncFinished", app="generated"))
    for sign, canary in {"*": cage.alias, "!": cage.tag, "&": cage.anchor, "%": cage.percent, "@": cage.at}.items():
        known = len(play.moments(kind="RenderFailed", app="broken"))
        play.commit({"broken/secret.yaml": f"kind: Secret\nstringData:\n  password: {sign}{canary.plain} [\n"})
        play.until(lambda known=known: len(play.moments(kind="RenderFailed", app="broken")) > known)  # type: ignore[misc]


def declare_with_credentials(play: Play) -> None:
    """A repository's address with credentials, to the API and in the fleet repository."""
    cage = play.cage
    urls = (
        f"https://ada:{cage.address.plain}@git.example/shop.git",
        f"https://{cage.user.plain}@git.example/shop.git",
        f"ada:{cage.copied.plain}@git.example:shop.git",
        f"https//ada:{cage.mistyped.plain}@git.example/shop.git",
        f"https://git.example/shop.git?access_token={cage.query.plain}",
    )
    for number, url in enumerate(urls):
        body = {"name": f"hidden-{number}", "repo": url, "spec": {"path": "apps", "destCluster": "dev"}}
        status, answer = play.visitor.ask_to("POST", "/api/v1/applications", body)
        assert status == 422, answer
        assert not list(play.cage.sightings([("the answer", answer)])), answer
    fleet = play.tree.parent / "fleet"
    play.whole.run("git", "clone", "--quiet", str(play.whole.state / "demo" / "fleet.git"), str(fleet))
    documents = [
        {
            "apiVersion": "decklog.dev/v1",
            "kind": "Source",
            "metadata": {"name": f"hidden-{number}"},
            "spec": {"url": url},
        }
        for number, url in enumerate(urls)
    ]
    (fleet / "unclosed.yaml").write_text(f'apiVersion: decklog.dev/v1\nurl: "https://ada:{cage.unclosed.plain}@x\n[')
    (fleet / "hidden.yaml").write_text("---\n".join(f"{json.dumps(one)}\n" for one in documents))
    play.whole.run("git", "-C", str(fleet), "add", "--all")
    play.whole.run("git", "-C", str(fleet), *IDENTITY, "commit", "--quiet", "--message", "Declare")
    play.whole.run("git", "-C", str(fleet), "push", "--quiet", "origin", "HEAD:main")
    play.until(lambda: len(play.moments(kind="DeclarationRefused")) > len(urls))


def tell_in_a_command(play: Play) -> None:
    """People paste what they have at hand into a reason."""
    cage = play.cage
    reason = (
        f"token={cage.told.plain}, Authorization: Bearer {cage.bearer.plain}, "
        f"https://ada:{cage.pasted.plain}@git.example, --password {cage.option.plain}, ghp_{cage.forge.plain}"
    )
    play.whole.run("decklog", "app", "sync", "canaries", "--reason", reason, "--wait", "synced")
    play.whole.run("decklog", "app", "delete", "generated", "--cascade", "--reason", reason)
    play.until(lambda: play.moments(kind="ApplicationRemoved", app="generated"))


def knock(play: Play) -> None:
    """Wrong tokens at every door, in every place where a client may put one."""
    cage = play.cage
    doors = ["/api/v1/applications", "/", "/login", *operations(play, "/metrics"), *operations(play, "/trigger")]
    denials = len(play.moments(kind="AccessDenied"))
    for path in doors:
        for method in ("GET", "POST"):
            play.visitor.send(method, path, Authorization=f"Bearer {cage.token.plain}")
            play.visitor.send(method, path, Authorization=f"Basic {cage.basic.encoded}")
            play.visitor.send(method, path, Cookie=f"decklog_session={cage.session.plain}")
            play.visitor.send(method, f"{path}?token={cage.parameter.plain}&code={cage.code.plain}")
            play.visitor.send(method, f"{path}/{cage.path.plain}", Origin=f"https://{cage.origin.plain}.example")
    play.until(lambda: len(play.moments(kind="AccessDenied")) > denials and play.moments(kind="LoginFailed"))


def operations(play: Play, path: str, *names: str) -> list[str]:
    """A path of the operations address of each service."""
    ports = json.loads((play.whole.state / "ports.json").read_text())
    return [f"http://127.0.0.1:{ports[f'{name}-ops']}{path}" for name in names or SERVICES]


async def everything(play: Play) -> list[leaving.Text]:
    """All that left, once everything that was said is recorded and shown."""
    given, visitor = play.whole.environment(), play.visitor
    known = what_is_known(play)
    found = [
        *leaving.logs(play.whole.state),
        *[one async for one in leaving.records(given["DECKLOG_KAFKA"])],
        *[one async for one in leaving.rows(given["DECKLOG_POSTGRES"])],
        *visitor.answers(known),
        visitor.stream(max(one["leaf"] for one in play.moments(kind="LoginFailed"))),
        *visitor.pages((play.whole.state / "login-code").read_text().strip(), known),
        spans(play),
        *((path, visitor.ask(path)[1]) for path in [*operations(play, "/readyz"), *operations(play, "/metrics")]),
    ]
    assert len(found) > 1_000, "hardly anything was looked at"
    assert any(b"masked:" in text for _, text in found), "nothing was masked: the secrets never came by"
    return found


def spans(play: Play) -> leaving.Text:
    """All traces; the tracing server starts last."""
    port = json.loads((play.whole.state / "ports.json").read_text())["zipkin"]
    traces = f"http://127.0.0.1:{port}/api/v2/traces?limit=10000&lookback=3600000"
    play.until(lambda: b"decklog-audit" in play.visitor.send("GET", traces)[1])
    return "the traces", play.visitor.send("GET", traces)[1]


def what_is_known(play: Play) -> dict[str, list[str]]:
    """Values of every parameter of every GET route, and queries where a route needs one."""
    leaves = max(rung["size"] for rung in play.whole.ask("status")["rungs"])
    moments = play.whole.ask("timeline", "--limit", "1000")
    declared = [one["name"] for one in play.whole.ask("app", "list")]
    applications = [play.whole.ask("app", "get", name) for name in declared]
    return {
        "name": declared,
        "sync_id": [one["sync_id"] for found in applications for one in found["syncs"]],
        "episode": [one["episode"] for one in play.whole.ask("drift", "list", "--all")],
        "event_id": [one["event_id"] for one in moments if one["event_id"]],
        "leaf": [str(number) for number in range(leaves)],
        "/api/v1/state": [f"?app={name}" for name in declared] + ["?cluster=dev"],
        "/api/v1/timeline": ["?limit=1000"],
        "/api/v1/drift": ["?limit=1000"],
    }
