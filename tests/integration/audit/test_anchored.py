"""The rung *anchored*: audit has its checkpoints stamped by an authority, exports that, and everybody can check it."""

import asyncio
import json
import time
from pathlib import Path

import pytest
import typer.testing

from decklog.adapters import system
from decklog.model.tlog import policy, time_stamp
from decklog.verifier import copy, source
from decklog.verifier import log as verifier
from services.audit.admin import audit_db
from services.audit.publisher import anchored
from services.audit.publisher import folder as folders
from tests import audit_leaves as some
from tests import audit_process, published_log, time_authority, trickling
from tests import stack as stacks
from tests.audit_process import LOG, Process


@pytest.fixture
def authority(tmp_path):
    return time_authority.Authority(tmp_path / "tsa")


def running(database: str, tmp_path: Path, url: str, authority: time_authority.Authority, interval: float = 1.0):
    return audit_process.running(
        database, tmp_path, log_tsa=url, log_tsa_ca_file=authority.ca, log_tsa_interval=interval
    )


async def rung(process: Process, name: str) -> dict:
    """How far a rung is, as `decklog status` gets it."""
    status = (await process.get("/status")).json()
    return next(one for one in status["rungs"] if one["name"] == name)


async def troubles(process: Process) -> dict:
    """What `/readyz` says of the rest while it is ready."""
    async with audit_process.browser(process.ops) as ops:
        answer = await ops.get("/readyz")
    assert answer.status_code == 200, answer.text
    return answer.json()["troubles"]


async def exported(process: Process, folder: Path) -> source.Folder:
    """A copy, as `decklog ledger export` makes it."""
    given = source.url(process.address, token=audit_process.SECRET, loopback=True)
    await asyncio.to_thread(copy.copy, given, folder)
    return source.Folder(folder)


def verified(copied: source.Folder, authority: time_authority.Authority) -> verifier.Verdict:
    wanted = verifier.Wanted(authority=time_stamp.authority(authority.ca.read_bytes()))
    return verifier.verify(copied, policy.of_keys([LOG]), wanted)


async def test_checkpoints_are_stamped_exported_and_verified_by_us_and_by_openssl(database, tmp_path, authority):
    """Two stamps a second apart, a copy, `decklog verify` and `openssl ts`; every change of a line is found."""
    with authority.serving() as url:
        async with running(database, tmp_path, url, authority) as process:
            await audit_process.published(process)  # and stamped: whatever is said, no more stamp comes by itself
            await process.say("reconcile", some.rendered())
            await audit_process.published(process)
            copied = await exported(process, tmp_path / "copy")
            audited = await asyncio.to_thread(typer.testing.CliRunner().invoke, audit_db.app, ["--postgres", database])
            assert audited.exit_code == 0, audited.output
    folder = tmp_path / "copy"
    tokens = sorted((folder / "timestamps").glob("*.tsr"))
    assert len(tokens) == authority.asked >= 2
    for token in tokens:
        believed, said = time_authority.accepts(token, token.with_suffix(".checkpoint"), authority.ca)
        assert believed, said
    assert not time_authority.accepts(tokens[0], tokens[1].with_suffix(".checkpoint"), authority.ca)[0]
    verdict = verified(copied, authority)
    assert verdict.findings == []
    assert verdict.anchors.count == len(tokens)
    assert abs(verdict.anchors.newest.stamp.time.timestamp() - time.time()) < 300
    other = time_authority.Authority(tmp_path / "other")
    assert {one.path for one in verified(copied, other).findings} >= {
        "timestamps.jsonl line 1",
        "timestamps.jsonl line 2",
    }
    lines = (folder / "timestamps.jsonl").read_text().splitlines()
    for changed, told in (
        ([lines[0], json.dumps(json.loads(lines[1]) | {"token": json.loads(lines[0])["token"]})], "line 2"),
        ([lines[0].replace(LOG.name, "log.example/x"), lines[1]], "line 1"),
        (["{}", *lines[1:]], "line 1"),
        ([], "there is no time stamp"),
    ):
        (folder / "timestamps.jsonl").write_text("".join(f"{line}\n" for line in changed))
        findings = verified(copied, authority).findings
        assert told in str(findings[0])


@pytest.mark.parametrize(
    ("mood", "told"),
    [
        (time_authority.Mood.BUSY, "answers 503"),
        (time_authority.Mood.GARBAGE, "no time stamp to be believed"),
        (time_authority.Mood.ANOTHER, "no time stamp to be believed"),
    ],
)
async def test_an_authority_in_trouble_is_told_and_publishing_goes_on(database, tmp_path, authority, mood, told):
    """Ready all the while, the log grows; what it answers is not stored; once it is well again, all is stamped."""
    authority.reply(time_stamp.query(b"something else").data)
    authority.mood = mood
    with authority.serving() as url:
        async with running(database, tmp_path, url, authority) as process:
            async with asyncio.timeout(20):
                while "time stamps" not in await troubles(process):  # noqa: ASYNC110 (asked over HTTP)
                    await asyncio.sleep(0.05)
            assert told in (await troubles(process))["time stamps"]
            before = (await rung(process, "published"))["size"]
            await process.say("reconcile", some.rendered())
            async with asyncio.timeout(20):
                while (await rung(process, "published"))["size"] == before:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert (await rung(process, "anchored"))["size"] == 0
            authority.mood = time_authority.Mood.WELL
            await audit_process.published(process, 60)
            assert "time stamps" not in await troubles(process)


async def test_a_served_checkpoint_that_is_damaged_ends_nothing(database, tmp_path, authority):
    """There is nothing to be stamped then, which is told, until the publisher has put it right."""
    served = tmp_path / "log" / "public" / "checkpoint"
    with authority.serving() as url:
        async with running(database, tmp_path, url, authority) as process, asyncio.timeout(60):
            await audit_process.published(process)
            while "this is no checkpoint" not in (await troubles(process)).get("time stamps", ""):
                served.write_bytes(b"")
                await asyncio.sleep(0.05)
            await process.say("reconcile", some.rendered())
            await audit_process.published(process, 60)
            assert "time stamps" not in await troubles(process)


async def test_an_authority_whose_answer_never_ends_is_told(database, tmp_path, authority, monkeypatch):
    """It is never silent for long: the whole of it is bounded."""
    monkeypatch.setattr(anchored, "_EXCHANGE_SECONDS", 0.3)
    async with trickling.serving() as url, running(database, tmp_path, url, authority) as process:
        await process.say("reconcile", some.rendered())
        async with asyncio.timeout(20):
            while "takes more than" not in (await troubles(process)).get("time stamps", ""):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_a_database_behind_the_log_is_told_by_the_publisher_alone(
    database, tmp_path, authority, stack, migrated_template
):
    """What was told before, as the database was away to be restored, would say for ever that publishing goes on."""
    log = published_log.Log(database, tmp_path / "log")
    await log.grow(3)
    await log.publish()
    restored = await stacks.create_database(stack, migrated_template)
    log.readiness.complains(anchored.PART, "Postgres cannot be reached (publishing goes on)")
    stop = asyncio.Event()
    rule = anchored.read("http://127.0.0.1:9/", authority.ca, 1.0)
    anchor = anchored.Anchor(
        restored, folders.LogFolder(log.path), rule, readiness=log.readiness, time=system.SystemClock()
    )
    running = asyncio.create_task(anchor.run(stop))
    async with asyncio.timeout(20):
        while log.readiness.troubles:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.02)
    stop.set()
    await running
