"""The page over a whole audit process: what it shows, and that nothing of what people wrote is taken for markup."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from decklog.events.v1 import apply_pb2, control_pb2, drift_pb2, fleet_pb2, git_pb2, subject_pb2
from tests import audit_leaves as some
from tests import audit_process
from tests.audit_process import Process


@pytest.fixture
async def process(database: str, tmp_path: Path) -> AsyncIterator[Process]:
    async with audit_process.running(database, tmp_path) as running:
        yield running


async def shown(process: Process, path: str, after: str) -> str:
    """A page as the bearer of the token sees it, with everything up to an event."""
    await process.get("/applications", after=after)
    answer = await process.api.get(process.address + path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_an_empty_installation_says_what_to_do(process: Process) -> None:
    """No application yet: the page names the command that declares one."""
    assert "decklog app create" in await shown(process, "/", "")


async def test_failures_are_shown_with_place_and_way_out(process: Process) -> None:
    """Source, rendering, claim and sync failures, and refused declarations, stand where people look first."""
    failure = subject_pb2.Failure(
        reason="InvalidYaml",
        message="<b>bad</b> indentation",
        hint="Correct the line: `lint <x>`",
        file="apps/a.yaml",
        line=7,
    )
    await process.say("ingest", some.declared(by_git=False, mode=fleet_pb2.MODE_DETECT), key="application/shop")
    await process.say("ingest", git_pb2.SourceFailed(source="infrastructure", failure=failure), key="infrastructure")
    await process.say(
        "ingest", fleet_pb2.DeclarationRefused(kind="Application", name="odd", failure=failure), key="x/odd"
    )
    last = await process.say(
        "reconcile",
        some.rendered(("settings", "j1:a")),
        apply_pb2.SyncFinished(
            application=some.application(), sync_id="s1", outcome=apply_pb2.SYNC_OUTCOME_FAILED, failure=failure
        ),
        apply_pb2.RenderFailed(application=some.application(), revision=some.revision(), failure=failure),
    )
    page = await shown(process, "/", last)
    assert page.count("apps/a.yaml:7") >= 4
    assert "Correct the line" in page
    assert "&lt;b&gt;bad&lt;/b&gt;" in page
    assert "<b>bad</b>" not in page
    assert "<code>lint &lt;x&gt;</code>" in page
    assert "Failed" in await shown(process, "/applications/shop", last)


async def test_what_was_never_delivered_is_shown_as_next(process: Process) -> None:
    """As the command line says it: nothing is there yet, and what was rendered is on its way."""
    await process.say("ingest", some.declared(), key="application/shop")
    told = control_pb2.RevisionAvailable(application=some.application(), revision=some.revision(), ref_sequence=1)
    await process.say("ingest", told)
    last = await process.say("reconcile", some.rendered(("settings", "j1:a")), some.drift(drift_pb2.DRIFT_PHASE_OPENED))
    short = some.revision().commit[:8]
    for path in ("/", "/applications/shop"):
        page = await shown(process, path, last)
        assert '<span class="none">none yet</span>' in page
        assert f"next {short}" in page
        assert 'class="commit"' not in page


async def test_an_open_drift_shows_patch_and_managers(process: Process) -> None:
    """What Git would change, and who set it."""
    await process.say("ingest", some.declared(), key="application/shop")
    last = await process.say("reconcile", some.rendered(("settings", "j1:a")), some.drift(drift_pb2.DRIFT_PHASE_OPENED))
    page = await shown(process, "/applications/shop", last)
    for text in ("/data/a", "kubectl-edit", "ConfigMap shop/settings", "settings.yaml:1", "Modified"):
        assert text in page


async def test_a_sync_shows_what_led_to_it(process: Process) -> None:
    """Why did this happen: the trigger and the event, on the application's page."""
    await process.say("ingest", some.declared(), key="application/shop")
    drift = await process.say(
        "reconcile", some.rendered(("settings", "j1:a")), some.drift(drift_pb2.DRIFT_PHASE_OPENED)
    )
    last = await process.say(
        "reconcile",
        apply_pb2.SyncStarted(
            application=some.application(), sync_id="s1", trigger=apply_pb2.SYNC_TRIGGER_DRIFT, cause=drift
        ),
    )
    assert "after: ConfigMap shop/settings differs in /data/a" in await shown(process, "/applications/shop", last)


async def test_an_application_that_is_not_there_keeps_its_timeline(process: Process) -> None:
    """404, with what happened to it while it was."""
    answer = await process.api.get(process.address + "/applications/gone")
    assert answer.status_code == 404
    assert "No application <b>gone</b> is declared" in answer.text


async def test_what_an_application_names_and_is_not_declared_is_named(process: Process) -> None:
    """An unknown source or cluster is said on the page and by the API; nothing else would ever happen there."""
    spec = fleet_pb2.ApplicationSpec(source="nowhere", ref="HEAD", path="apps", dest_cluster="lost")
    last = await process.say("ingest", fleet_pb2.ApplicationDeclared(name="odd", after=spec), key="application/odd")
    page = await shown(process, "/", last)
    assert "there is no source &#39;nowhere&#39;" in page
    assert "there is no cluster &#39;lost&#39;" in page
    (listed,) = (await process.get("/applications")).json()["items"]
    assert (listed["source_failure"]["reason"], listed["cluster_failure"]["reason"]) == (
        "UnknownSource",
        "UnknownCluster",
    )


async def test_a_missing_ref_is_shown_to_those_who_follow_it(process: Process) -> None:
    """Another application of the same source has nothing to do with it."""
    lost = fleet_pb2.ApplicationSpec(
        source="infrastructure", ref="refs/heads/typo", path="apps", dest_cluster="dev", mode=fleet_pb2.MODE_HEAL
    )
    await process.say("ingest", some.declared("shop"), key="application/shop")
    await process.say("ingest", fleet_pb2.ApplicationDeclared(name="lost", after=lost), key="application/lost")
    failure = subject_pb2.Failure(reason="RefNotFound", message="no typo there", refs=["refs/heads/typo"])
    last = await process.say(
        "ingest", git_pb2.SourceFailed(source="infrastructure", failure=failure), key="infrastructure"
    )
    listed = (await process.get("/applications", after=last)).json()["items"]
    assert {one["name"]: bool(one["source_failure"]) for one in listed} == {"lost": True, "shop": False}


async def test_nothing_is_in_sync_with_what_nobody_knows(process: Process, database: str) -> None:
    """While the source cannot be followed, or is not declared, the application is unknown, also to queries."""
    spec = some.declared("shop").after
    await process.say("ingest", fleet_pb2.SourceDeclared(name="infrastructure"), key="source/infrastructure")
    await process.say("ingest", fleet_pb2.ApplicationDeclared(name="shop", after=spec), key="application/shop")
    last = await process.say("reconcile", some.rendered(("settings", "j1:a")), some.compared(in_sync=1))

    async def status(after: str) -> tuple[str, str]:
        (listed,) = (await process.get("/applications", after=after)).json()["items"]
        connection = await asyncpg.connect(database)
        queried = await connection.fetchval("SELECT sync_status FROM audit.applications")
        await connection.close()
        return listed["sync_status"], queried

    assert await status(last) == ("in_sync", "in_sync")
    away = subject_pb2.Failure(reason="Unreachable", message="away", transient=True)
    last = await process.say(
        "ingest", git_pb2.SourceFailed(source="infrastructure", failure=away), key="infrastructure"
    )
    assert await status(last) == ("unknown", "unknown")
    back = git_pb2.SourceFailed(source="infrastructure", recovered=True)
    assert await status(await process.say("ingest", back, key="infrastructure")) == ("in_sync", "in_sync")
    gone = fleet_pb2.SourceRemoved(name="infrastructure", origin=audit_process.source().origin)
    assert await status(await process.say("ingest", gone, key="source/infrastructure")) == ("unknown", "unknown")


async def test_a_refusal_that_is_taken_back_is_gone(process: Process) -> None:
    """What is mended or removed in Git does not stay on the page as a failure; the timeline keeps both."""
    failure = subject_pb2.Failure(reason="Duplicate", message="declared twice", file="more.yaml", line=1)
    refused = fleet_pb2.DeclarationRefused(kind="Application", name="odd", failure=failure)
    last = await process.say("ingest", refused, key="x/odd")
    assert "does not count" in await shown(process, "/fragments/applications", last)
    refused.withdrawn = True
    last = await process.say("ingest", refused, key="x/odd")
    assert "does not count" not in await shown(process, "/fragments/applications", last)
    assert "no longer refused" in await shown(process, "/", last)


async def test_an_application_tells_of_another_declaration_that_does_not_count(process: Process) -> None:
    """On its own page and in the API's answer, as in the list: somebody wants it otherwise."""
    failure = subject_pb2.Failure(reason="InvalidSpec", message="mode: there is no 'haul'", file="more.yaml", line=1)
    refused = fleet_pb2.DeclarationRefused(kind="Application", name="shop", failure=failure)
    await process.say("ingest", some.declared(), key="application/shop")
    last = await process.say("ingest", refused, key="application/shop")
    text = await shown(process, "/fragments/applications/shop", last)
    assert "Another declaration of shop does not count" in text
    assert "more.yaml:1" in text
    answer = (await process.get("/applications/shop", after=last)).json()
    assert answer["refusal"]["failure"]["reason"] == "InvalidSpec"


async def test_a_wrong_address_is_answered_with_a_page(process: Process) -> None:
    """A browser is shown words and a way back; a program that asks the API gets its problem as ever."""
    answer = await process.api.get(process.address + "/nowhere", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert '<a href="/">' in answer.text
    assert (await process.get("/nowhere")).json()["reason"] == "NotFound"
