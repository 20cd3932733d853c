"""The API over a whole audit process: what is said becomes what is answered, and what is asked becomes an event."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from decklog.client import server
from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2
from services.audit.api import statements
from tests import audit_leaves as some
from tests import audit_process
from tests.audit_process import Process


@pytest.fixture
async def process(database: str, tmp_path: Path) -> AsyncIterator[Process]:
    async with audit_process.running(database, tmp_path) as running:
        yield running


async def test_what_reconcile_says_is_what_the_api_answers(process: Process) -> None:
    """From declaration to drift: application, objects, episode, timeline."""
    await process.say("ingest", some.declared(), key="application/shop")
    last = await process.say("reconcile", some.rendered(("settings", "j1:a")), some.drift(drift_pb2.DRIFT_PHASE_OPENED))
    (listed,) = (await process.get("/applications", after=last)).json()["items"]
    assert (listed["name"], listed["sync_status"], listed["modified"]) == ("shop", "drifted", 1)
    shown = (await process.get("/applications/shop")).json()
    assert [one["verdict"] for one in shown["object_list"]] == ["modified"]
    (episode,) = (await process.get("/drift", app="shop", phase="open")).json()["items"]
    assert episode["patch"] == [{"op": "replace", "path": "/data/a", "value": "1"}]
    detail = (await process.get(f"/drift/{episode['episode']}")).json()
    assert [one["phase"] for one in detail["observation_list"]] == ["opened"]
    lines = (await process.get("/timeline", app="shop")).json()["items"]
    assert [one["kind"] for one in lines] == ["DriftObserved", "Rendered", "ApplicationDeclared"]


async def test_the_state_before_and_after_differs_in_what_changed(process: Process) -> None:
    """State at T: bodies as they were, byte for byte; gone is gone; as known before, it is not known yet."""
    await process.say("ingest", some.declared(), key="application/shop")
    first = await process.say("reconcile", some.changed(5))
    between = (await process.get(f"/events/{first}", after=first)).json()
    last = await process.say("reconcile", some.changed(6), some.changed(3, name="other"))
    at = between["time_us"]
    before = (await process.get("/state", app="shop", at=str(at), after=last)).json()
    now = (await process.get("/state", cluster="dev")).json()
    assert [(one["object"], one["body"]) for one in before["items"]] == [
        ("/ConfigMap/shop/settings", {"data": {"a": "5"}})
    ]
    assert [one["body"]["data"]["a"] for one in now["items"]] == ["3", "6"]
    known = (await process.get("/state", app="shop", known_leaf=between["leaf"] + 1)).json()
    assert [one["resource_version"] for one in known["items"]] == [5]
    gone = await process.say("reconcile", some.deleted(7))
    left = (await process.get("/state", app="shop", after=gone)).json()
    assert [one["object"] for one in left["items"]] == ["/ConfigMap/shop/other"]


async def test_an_event_is_shown_with_its_receipt(process: Process) -> None:
    """By id, by a beginning of it, by leaf: the same; embedded JSON is unfolded."""
    last = await process.say("reconcile", some.drift(drift_pb2.DRIFT_PHASE_OPENED))
    shown = (await process.get(f"/events/{last}", after=last)).json()
    assert shown["data"]["patch"][0]["op"] == "replace"
    assert shown["receipt"]["ce"]["id"] == last
    assert shown["payload"]["length"] == shown["receipt"]["len"]
    assert (await process.get(f"/events/{last[:30]}")).json() == shown
    assert (await process.get(f"/leaves/{shown['leaf']}")).json() == shown


async def test_a_sync_is_shown_with_what_led_to_it(process: Process) -> None:
    """The drift that a sync healed stands beside it: in the application, in the sync, in each of its events."""
    await process.say("ingest", some.declared(), key="application/shop")
    drift = await process.say(
        "reconcile", some.rendered(("settings", "j1:a")), some.drift(drift_pb2.DRIFT_PHASE_OPENED)
    )
    started = apply_pb2.SyncStarted(
        application=some.application(), sync_id="s1", trigger=apply_pb2.SYNC_TRIGGER_DRIFT, cause=drift
    )
    finished = apply_pb2.SyncFinished(
        application=some.application(), sync_id="s1", outcome=apply_pb2.SYNC_OUTCOME_SUCCEEDED
    )
    stray = apply_pb2.SyncStarted(application=some.application(), sync_id="s2", cause="no id at all")
    first = await process.say("reconcile", started)
    second = await process.say("reconcile", finished)
    third = await process.say("reconcile", stray)
    told = "ConfigMap shop/settings differs in /data/a"
    for event in (first, second):
        shown = (await process.get(f"/events/{event}", after=third)).json()
        assert (shown["cause"]["event_id"], shown["cause"]["summary"]) == (drift, told)
    for path in (third, drift):
        assert (await process.get(f"/events/{path}")).json()["cause"] is None
    listed = (await process.get("/applications/shop")).json()["syncs"]
    assert [(one["sync_id"], one["cause_kind"], one["cause_summary"]) for one in listed] == [
        ("s2", None, None),
        ("s1", "DriftObserved", told),
    ]
    alone = (await process.get("/syncs/s1")).json()
    assert (alone["cause"], alone["cause_summary"]) == (drift, told)


async def test_creating_an_application_declares_its_source_too(process: Process) -> None:
    """202 with id and coordinates; both declarations carry the token's subject and the reason."""
    body = {
        "name": "example-app",
        "repo": "https://git.example/team/example-app.git",
        "spec": {"path": "apps", "destCluster": "dev", "destNamespace": "default", "mode": "heal", "prune": True},
        "reason": "first try",
    }
    answer = await process.api.post("/applications", json=body)
    assert answer.status_code == 202
    assert answer.json()["coordinates"]["topic"] == "t.fleet.v1"
    (application,) = (await process.get("/applications", after=answer.json()["event_id"])).json()["items"]
    assert (application["actor"], application["reason"]) == ("alice", "first try")
    assert application["spec"]["source"] == "example-app"
    sources = (await process.get("/sources")).json()["items"]
    assert [one["name"] for one in sources] == ["example-app", "infrastructure"]
    again = await process.api.post("/applications", json=body)
    assert (again.status_code, again.json()["reason"]) == (409, "AlreadyDeclared")


async def test_a_declared_repository_is_reused(process: Process) -> None:
    """One source per repository, however it came to be declared."""
    body = {
        "name": "one",
        "repo": "https://git.example/infrastructure.git",
        "spec": {"path": "", "destCluster": "dev"},
    }
    body["spec"] = {"path": "x", "destCluster": "dev"}
    said = (await process.api.post("/applications", json=body)).json()
    shown = (await process.get("/applications/one", after=said["event_id"])).json()
    assert shown["spec"]["source"] == "infrastructure"


async def test_two_who_change_a_field_each_at_once_both_have_their_way(process: Process) -> None:
    """Each change is decided on top of the one before it, never beside it."""
    body = {
        "name": "one",
        "repo": "https://git.example/infrastructure.git",
        "spec": {"path": "x", "destCluster": "dev", "mode": "heal"},
    }
    await process.api.post("/applications", json=body)
    changes = [{"mode": "detect"}, {"prune": True}, {"path": "y"}, {"onDelete": "prune"}]
    answers = await asyncio.gather(
        *(process.api.patch("/applications/one", json={"spec": change}) for change in changes)
    )
    for answer in answers:
        shown = (await process.get("/applications/one", after=answer.json()["event_id"])).json()
    wanted = {name: value for change in changes for name, value in change.items()}
    assert {name: shown["spec"].get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        ({"name": "Not_A_Label"}, "InvalidDeclaration", "not a valid name"),
        ({"spec": {"path": "a", "destCluster": "nowhere"}}, "UnknownCluster", "nowhere"),
        ({"spec": {"path": "../up", "destCluster": "dev"}}, "InvalidDeclaration", "out of the repository"),
        ({"spec": {"path": "a", "destCluster": "dev", "mood": "heal"}}, "InvalidDeclaration", "mood"),
        ({"repo": "https://user:pass@git.example/x.git"}, "InvalidDeclaration", "credentials"),
        ({"repo": None, "spec": {"path": "a", "destCluster": "dev", "source": "none"}}, "UnknownSource", "none"),
    ],
)
async def test_what_cannot_be_declared_is_refused_with_the_way_out(
    process: Process, change: dict[str, object], reason: str, says: str
) -> None:
    """422 problem details: what is wrong, where, what next; nothing is said to Kafka."""
    body = {"name": "x", "repo": "https://git.example/x.git", "spec": {"path": "a", "destCluster": "dev"}} | change
    answer = await process.api.post("/applications", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["reason"]) == (422, reason)
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in problem["detail"]
    assert problem["hint"]
    assert "pass" not in answer.text


_SYNC = "/applications/shop/sync"
_WRONG: list[tuple[str, str, dict[str, object], str]] = [
    ("POST", _SYNC, {"json": {"commit": "zzz"}}, "commit is not the id of a commit, or the first 4 or more"),
    ("POST", _SYNC, {"json": {"commit": 7, "prune": "perhaps"}}, "commit is not text; prune is neither true nor false"),
    ("POST", _SYNC, {"json": {"commits": "abcd"}}, "commits is no field of this request"),
    ("POST", _SYNC, {"json": []}, "the body is not a JSON object"),
    ("POST", _SYNC, {"content": b"{", "headers": {"content-type": "application/json"}}, "the body is not JSON"),
    ("POST", _SYNC, {}, "the body is missing"),
    ("POST", _SYNC, {"json": {"reason": "a" * 1001}}, "reason has more than 1000 characters"),
    ("POST", "/applications", {"json": {"name": "x", "spec": []}}, "spec is not a JSON object"),
    ("DELETE", "/applications/shop", {"params": {"objects": "burn"}}, "objects is not 'cascade' or 'keep'"),
    ("GET", "/leaves/many", {}, "leaf is not a whole number"),
    ("GET", "/leaves/99999999999999999999999", {}, "leaf is more than 4611686018427387904"),
    ("GET", "/timeline", {"params": {"limit": 0, "before": -1}}, "before is less than 0; limit is less than 1"),
    ("GET", "/timeline", {"params": {"since": "yesterday"}}, "since: "),
    ("GET", "/timeline", {"params": {"after": "x"}}, "after is not the whole id of an event"),
    ("GET", "/drift", {"params": {"phase": "odd"}}, "phase is not 'open', 'resolved' or 'all'"),
    ("GET", "/stream", {"headers": {"last-event-id": "x"}}, "last-event-id is not the number of a leaf"),
    ("GET", "/stream", {"params": {"last_leaf": "1.5"}}, "last_leaf is not a whole number"),
    ("GET", "/events/0123/outcome", {"params": {"until": "soon", "timeout": "inf"}}, "until is not"),
]


@pytest.mark.parametrize(("method", "path", "request_", "says"), _WRONG)
async def test_a_request_that_does_not_fit_is_told_in_plain_words(
    process: Process, method: str, path: str, request_: dict[str, Any], says: str
) -> None:
    """No word of the validator's gets out: a problem document names what is wrong, each thing for itself."""
    answer = await process.api.request(method, path, **request_)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert says in problem["detail"]
    assert problem["hint"]
    for word in ("should", "pattern", "pydantic", "does not fit", "Field required", "Extra inputs"):
        assert word not in answer.text
    for one in problem.get("errors", ()):
        assert one.keys() == {"in", "name", "detail"}


async def test_git_beats_the_api_and_the_refusal_names_the_file(process: Process) -> None:
    """What a fleet repository declares is neither changed nor removed through the API."""
    said = await process.say("ingest", some.declared(), key="application/shop")
    await process.get("/applications", after=said)
    answers = [
        await process.api.put("/applications/shop", json={"spec": {"path": "a", "destCluster": "dev"}}),
        await process.api.delete("/applications/shop", params={"objects": "keep"}),
        await process.api.post("/applications", json={"name": "shop", "repo": "/r", "spec": {"path": "a"}}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["reason"]) == (409, "DeclaredInGit")
        assert "fleet.yaml:3" in answer.json()["detail"]


async def test_an_application_is_removed_with_a_reason(process: Process) -> None:
    """DELETE says what becomes of the objects; without saying it, nothing happens."""
    said = await process.say("ingest", some.declared(by_git=False), key="application/shop")
    await process.get("/applications", after=said)
    assert (await process.api.delete("/applications/shop")).status_code == 422
    removed = await process.api.delete("/applications/shop", params={"objects": "cascade", "reason": "moved"})
    assert removed.status_code == 202
    assert (await process.get("/applications", after=removed.json()["event_id"])).json()["items"] == []
    (line,) = (await process.get("/timeline", kind="ApplicationRemoved")).json()["items"]
    assert line["summary"] == "Application shop removed through the API, its objects are deleted: moved"


async def test_a_sync_is_requested_and_waited_for(process: Process) -> None:
    """The outcome goes from recorded to synced to healthy; a failed sync says why."""
    await process.say("ingest", some.declared(), audit_process.commit(), key="application/shop")
    said = await process.say("reconcile", some.rendered(("settings", "j1:a")))
    await process.get("/applications", after=said)
    asked = await process.api.post("/applications/shop/sync", json={"commit": "aaaa", "reason": "now"})
    event = asked.json()["event_id"]
    shown = (await process.get(f"/events/{event}", after=event)).json()["data"]
    assert (shown["commit"], shown["actor"]["id"]) == ("a" * 40, "alice")
    path = f"/events/{event}/outcome"
    assert (await process.get(path, until="synced")).json()["stage"] == "recorded"
    started = apply_pb2.SyncStarted(application=some.application(), sync_id="s1", cause=event, revision=some.revision())
    finished = apply_pb2.SyncFinished(
        application=some.application(), sync_id="s1", outcome=apply_pb2.SYNC_OUTCOME_SUCCEEDED, revision=some.revision()
    )
    await process.say("reconcile", started, finished)
    assert (await process.get(path, until="synced", timeout=20)).json() == {
        "stage": "synced",
        "reached": True,
        "failure": None,
        "sync_id": "s1",
    }
    healthy = apply_pb2.HealthChanged(application=some.application(), after=apply_pb2.HEALTH_HEALTHY)
    await process.say("reconcile", healthy)
    assert (await process.get(path, until="healthy", timeout=20)).json()["stage"] == "healthy"


async def test_a_clusters_new_identity_is_confirmed(process: Process) -> None:
    """202 with the event; the actor and the reason are recorded, and the name is trusted again. Twice is refused."""
    seen = [
        fleet_pb2.ClusterIdentityChanged(cluster="dev", before=before, after=after)
        for before, after in (("", "u1"), ("u1", "u2"))
    ]
    last = await process.say("reconcile", *seen, key="cluster/dev")
    await process.get("/applications", after=last)
    refused = await process.api.post("/clusters/dev/confirm", json={"uid": "u1"})
    assert (refused.status_code, refused.json()["reason"]) == (409, "AnotherIdentity")
    assert "--uid u2" in refused.json()["hint"]
    answer = await process.api.post("/clusters/dev/confirm", json={"uid": "u2", "reason": "moved"})
    assert (answer.status_code, answer.json()["coordinates"]["topic"]) == (202, "t.fleet.v1")
    event = answer.json()["event_id"]
    (dev,) = (await process.get("/clusters", after=event)).json()["items"]
    assert (dev["confirmed_uid"], dev["seen_uid"]) == ("u2", "u2")
    assert (await process.get(f"/events/{event}/outcome", until="recorded")).json()["reached"]
    (line,) = (await process.get("/timeline", kind="ClusterIdentityConfirmed")).json()["items"]
    assert (line["actor"], line["summary"]) == ("alice", "Cluster dev confirmed as u2: moved")
    assert (await process.api.post("/clusters/dev/confirm", json={})).json()["reason"] == "AlreadyConfirmed"
    assert (await process.api.post("/clusters/none/confirm", json={})).status_code == 404


async def test_an_unknown_commit_or_application_is_not_found(process: Process) -> None:
    """404 names what there is not."""
    said = await process.say("ingest", some.declared(), key="application/shop")
    await process.get("/applications", after=said)
    wrong = await process.api.post("/applications/shop/sync", json={"commit": "dead"})
    assert (wrong.status_code, "dead" in wrong.json()["detail"]) == (404, True)
    for path in ("/applications/none", "/drift/none", "/leaves/999999", "/events/abcd1234", "/syncs/none"):
        answer = await process.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (404, "NotFound"), path


async def test_without_kafka_a_command_is_503_and_nothing_happened(process: Process) -> None:
    """The caller is told; after Kafka is back the same command works and there is one declaration."""
    body = {"name": "x", "repo": "https://git.example/x.git", "spec": {"path": "a", "destCluster": "dev"}}
    process.broker.go_down()
    down = await process.api.post("/applications", json=body)
    process.broker.come_up()
    assert (down.status_code, down.json()["reason"]) == (503, "NotRecorded")
    up = await process.api.post("/applications", json=body)
    assert up.status_code == 202
    (line,) = (await process.get("/timeline", kind="ApplicationDeclared", after=up.json()["event_id"])).json()["items"]
    assert line["application"] == "x"


async def test_reading_after_an_event_that_never_comes_says_what_to_do(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """504 after a bounded wait."""
    from services.audit.api import context

    monkeypatch.setattr(context, "AFTER_SECONDS", 0.1)
    answer = await process.get("/applications", after="00000000-0000-8000-8000-000000000000")
    assert (answer.status_code, answer.json()["reason"]) == (504, "NotProjectedYet")
    assert "decklog status" in answer.json()["hint"]


async def test_status_says_how_far_everything_is(process: Process) -> None:
    """The rungs, the lag of each topic, the services' last words."""
    last = await process.say("reconcile", some.rendered())
    await process.get("/applications", after=last)
    status = await audit_process.published(process)
    assert [rung["name"] for rung in status["rungs"]] == ["sequenced", "projected", "published"]
    assert [rung["behind"] for rung in status["rungs"]] == [0, 0, 0]
    assert [one["name"] for one in status["services"]] == ["ingest", "reconcile"]
    assert status["unplaced"] == 0


async def until_waits(database: str, statement: str) -> None:
    """Wait until a statement that holds this text waits for a lock."""
    waits = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
        "AND strpos(query, $1) > 0)"
    )
    connection = await asyncpg.connect(database)  # inside a transaction Postgres tells always the same of this
    async with asyncio.timeout(20):
        while not await connection.fetchval(waits, statement):  # noqa: ASYNC110 (Postgres is asked)
            await asyncio.sleep(0.01)
    await connection.close()


async def test_the_first_record_of_a_partition_is_behind_until_it_is_sequenced(process: Process, database: str) -> None:
    """No rung passes over what Kafka holds because the ledger has no position there yet."""
    connection = await asyncpg.connect(database)
    async with connection.transaction():
        await connection.execute("LOCK TABLE ledger.head IN EXCLUSIVE MODE")  # as a slow database: it can be read
        await process.say("reconcile", some.rendered())
        status = (await process.get("/status")).json()
        assert (status["rungs"][0]["size"], status["rungs"][0]["behind"]) == (3, 1)
        assert {one["topic"]: one["behind"] for one in status["topics"]}["t.apply.v1"] == 1
    await connection.close()
    assert (await audit_process.published(process))["rungs"][0]["size"] == 4


async def test_what_is_sequenced_while_the_status_is_read_is_on_a_rung_or_behind_one(
    process: Process, database: str
) -> None:
    """Counted once: its position must not be known already where its leaf is not."""
    await process.get("/timeline", after=await process.say("reconcile", some.rendered()))
    size = (await audit_process.published(process))["rungs"][0]["size"]
    lock = "LOCK TABLE ledger.position IN ACCESS EXCLUSIVE MODE"
    before, behind = await asyncpg.connect(database), await asyncpg.connect(database)
    async with behind.transaction():  # whoever waits has its turn in order: the sequencer, this one, the status
        async with before.transaction():
            await before.execute(lock)
            await process.say("reconcile", some.rendered())
            await until_waits(database, "INSERT INTO ledger.position")
            locked = asyncio.create_task(behind.execute(lock))
            await until_waits(database, lock)
            asked = asyncio.create_task(process.get("/status"))
            await until_waits(database, statements.POSITIONS)
        await locked
    await before.close()
    await behind.close()
    sequenced = (await asked).json()["rungs"][0]
    assert sequenced["size"] + sequenced["behind"] == size + 1


async def test_the_stream_goes_on_where_the_client_was(process: Process) -> None:
    """Server-sent events with the leaf as id: what came while nobody listened is not missed, nothing comes twice."""
    last = await process.say("reconcile", some.rendered(), some.rendered(("settings", "j1:a")))
    lines = (await process.get("/timeline", after=last, app="shop")).json()["items"]
    async with process.api.stream(
        "GET", "/stream?app=shop", headers={"Last-Event-ID": str(lines[1]["leaf"])}
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        ids = []
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                ids.append(int(line[4:]))
                if len(ids) == 1:
                    await process.say("reconcile", some.drift(drift_pb2.DRIFT_PHASE_OPENED))
                else:
                    break
    assert ids[0] == lines[0]["leaf"]
    assert ids[1] > ids[0]


async def test_an_installation_that_was_not_created_yet_takes_no_commands(database: str, tmp_path: Path) -> None:
    """Precedence cannot be decided before the fleet is known: 503, and reads work all the same."""
    async with audit_process.running(database, tmp_path, installed=False) as process:
        answer = await process.api.post("/applications", json={"name": "x", "spec": {}, "repo": "/r"})
        assert answer.status_code == 503
        assert (await process.get("/applications")).json() == {"items": []}


async def test_a_command_knows_what_was_declared_a_moment_before(process: Process) -> None:
    """What Kafka has acknowledged when a command comes counts for it, whether or not our own fold was there already."""
    for number in range(10):
        await process.say("ingest", audit_process.cluster(f"late-{number}"), key=f"cluster/late-{number}")
        spec = {"path": "a", "destCluster": f"late-{number}", "source": "infrastructure"}
        answer = await process.api.post("/applications", json={"name": f"late-{number}", "spec": spec})
        assert answer.status_code == 202, answer.text


async def test_a_name_that_no_database_can_hold_is_the_name_of_nothing(process: Process) -> None:
    """NUL is in no text of Postgres: nothing is found, and no word of Postgres gets out."""
    expected = {
        "/applications/%00": 404,
        "/applications/a%00b": 404,
        "/syncs/%00": 404,
        "/drift/%00": 404,
        "/events/%00": 422,
        "/state?app=%00": 404,
        "/state?cluster=%00": 404,
        "/timeline?app=%00&object=%00&actor=%00&cluster=%00&kind=%00&kind=a": 200,
        "/drift?app=%00&object=%00": 200,
        "/notices?topic=%00": 200,
        "/timeline?since=%00": 422,
        "/events/%00/outcome": 422,
        "/leaves/%00": 422,
        f"{process.address}/applications/%00": 404,
        f"{process.address}/fragments/applications/%00": 200,
    }
    for path, status in expected.items():
        answer = await process.api.get(path)
        assert answer.status_code == status, (path, answer.text)
        assert "encoding" not in answer.text


async def test_while_kafka_is_away_every_answer_says_that_it_may_be_old(process: Process) -> None:
    """For people, in a header and on the page; programs get the answer as it is. The status tells it in its own way."""

    async def warnings() -> list[str]:
        return server.warnings((await process.get("/applications")).headers.get_list("warning"))

    async with asyncio.timeout(50):
        while await warnings():
            pass
        process.broker.go_down()
        while not (told := await warnings()):  # noqa: ASYNC110 (asked over HTTP)
            await asyncio.sleep(0.1)
        assert [text.partition("sequencer: ")[0] for text in told] == ["the record may be behind: "]
        page = await process.api.get(f"{process.address}/fragments/applications")
        assert "The record may be behind: sequencer: " in page.text
        assert "warning" not in (await process.get("/status")).headers
        process.broker.come_up()
        while await warnings():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
