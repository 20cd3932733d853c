"""Audit just started, when it does not know yet how far the projections are: nothing is answered falsely."""

import asyncio
import json

import asyncpg
import pytest
from prometheus_client import REGISTRY

from decklog.adapters.postgres import ledger as postgres
from decklog.model import errors
from decklog.model.tlog import keys
from decklog.runtime import names
from tests import audit_leaves as some
from tests import audit_process


@pytest.fixture
async def held(database, tmp_path):
    """An audit over a ledger with an application, of which nobody can read how far it is; and what lets go.

    The ledger has five leaves.
    """
    (tmp_path / "before").mkdir()
    async with audit_process.running(database, tmp_path / "before") as process:
        await process.say("ingest", some.declared(), key="application/shop")
        last = await process.say("reconcile", some.changed(5))
        await process.get("/timeline", after=last)
    connection = await asyncpg.connect(database)
    lock = connection.transaction()
    await lock.start()
    await connection.execute("LOCK TABLE audit.cursor IN ACCESS EXCLUSIVE MODE")
    async with audit_process.running(database, tmp_path, installed=False) as process:
        yield process, lock
    await connection.close()


async def test_until_it_is_known_how_far_the_projections_are_it_says_so(held):
    """503 and when to ask again, from the API and on the page, and never an empty state; then the true answer."""
    process, lock = held
    async with process.stranger(Authorization=f"Bearer {audit_process.SECRET}", Accept="text/html") as page:
        for client, path in ((process.api, "/state?app=shop"), (page, "/")):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), answer.text
            assert "not known yet" in answer.text
    await lock.rollback()
    async with asyncio.timeout(20):
        while (answer := await process.api.get("/state?app=shop")).status_code == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert [one["object"] for one in answer.json()["items"]] == ["/ConfigMap/shop/settings"]


async def test_a_stream_from_now_on_waits_until_it_is_known_what_now_is(held):
    """It gives what comes, and not the whole ledger."""
    process, lock = held
    async with asyncio.timeout(20), process.api.stream("GET", "/stream") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        await lock.rollback()
        await audit_process.install(process)
        async for line in lines:
            if line.startswith("data: "):
                first = json.loads(line.removeprefix("data: "))
                break
    assert first["leaf"] >= 5


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ({"mode": 0o644}, ["DECKLOG_LOG_NEXT_KEY_FILE", "mode 0644", "chmod 600"]),
        ({"missing": True}, ["DECKLOG_LOG_NEXT_KEY_FILE", "No such file"]),
        ({"data": b"junk"}, ["DECKLOG_LOG_NEXT_KEY_FILE", "decklog ledger keygen"]),
        ({"data": keys.new_mldsa44_pem(b"m" * 32)}, ["DECKLOG_LOG_NEXT_KEY_FILE", "Ed25519", "decklog ledger keygen"]),
    ],
)
def test_a_file_that_holds_no_key_keeps_audit_from_starting(database, tmp_path, file, told):
    """Before anything is opened or sequenced, with the variable and the way out: as any wrong setting does."""
    path = tmp_path / "next.pem"
    if "missing" not in file:
        path.write_bytes(file.get("data", keys.new_pem(b"n" * 32)))
        path.chmod(file.get("mode", 0o600))
    with pytest.raises((errors.Terminal, ValueError)) as refused:
        audit_process.started(database, tmp_path, log_next_key_file=path)
    for part in told:
        assert part in str(refused.value)


async def test_a_key_that_is_not_the_logs_signs_nothing_and_stops_nothing_else(database, tmp_path):
    """What comes is sequenced, projected and served, the published log too; /readyz and a metric say what to do."""
    async with audit_process.running(database, tmp_path) as process:
        await process.get("/timeline", after=await process.say("reconcile", some.changed(4)))
        await audit_process.published(process)
        before = (tmp_path / "log" / "public" / "checkpoint").read_bytes()
    other = tmp_path / "other-key.pem"
    other.write_bytes(keys.new_pem(b"x" * 32))
    other.chmod(0o600)
    async with audit_process.running(
        database, tmp_path, installed=False, broker=process.broker, log_key_file=other
    ) as process:
        async with audit_process.browser(process.ops) as ops, asyncio.timeout(20):
            told = {}
            while told.keys() != {"publisher"} or "not signed" not in told["publisher"]:  # the others start meanwhile
                await asyncio.sleep(0.02)
                told = (await ops.get("/readyz")).json()["waiting"]
        for part in ("DECKLOG_LOG_KEY_FILE", "Put back the key", "restart audit", "sequenced and served"):
            assert part in told["publisher"]
        assert REGISTRY.get_sample_value(names.METRIC_WITHHELD) == 1
        again = await process.say("reconcile", some.changed(6))
        assert (await process.get("/timeline", after=again)).status_code == 200
        async with process.stranger(Authorization=f"Bearer {audit_process.SECRET}") as reader:
            assert (await reader.get("/checkpoint")).content == before


async def test_a_served_checkpoint_that_is_none_stops_the_log_and_status_says_so(database, tmp_path):
    """A disk that was full while the folder was put back: `decklog status` answers, with what the publisher says."""
    async with audit_process.running(database, tmp_path) as process:
        await process.get("/timeline", after=await process.say("reconcile", some.changed(4)))
        await audit_process.published(process)
    (tmp_path / "log" / "public" / "checkpoint").write_bytes(b"")
    async with audit_process.running(database, tmp_path, installed=False, broker=process.broker) as process:
        async with asyncio.timeout(20):
            told = {}
            while "publisher" not in told or "this is no checkpoint" not in told["publisher"]:
                await asyncio.sleep(0.02)
                answer = await process.get("/status")
                assert answer.status_code == 200
                told = answer.json()["waiting"]
        assert {one["name"]: one["size"] for one in answer.json()["rungs"]}["published"] == 0
        assert (await process.get("/log")).json()["size"] == 0
        async with process.stranger(Authorization=f"Bearer {audit_process.SECRET}") as reader:
            assert (await reader.get("/checkpoint")).status_code == 404


async def test_a_ledger_that_is_not_the_published_one_is_gone_on_from_by_nobody(database, tmp_path):
    """Somebody changed a leaf: at the next start sequencer and publisher end, the API serves and says why."""
    async with audit_process.running(database, tmp_path) as process:
        await process.get("/timeline", after=await process.say("reconcile", some.changed(4)))
        await audit_process.published(process)
    connection = await asyncpg.connect(database)
    await connection.execute("ALTER TABLE ledger.entry DISABLE TRIGGER append_only")
    await connection.execute("ALTER TABLE ledger.entry_p000000 DISABLE TRIGGER append_only")
    await connection.execute("UPDATE ledger.entry SET receipt = receipt || ' ' WHERE leaf = 1")
    async with audit_process.running(database, tmp_path, installed=False, broker=process.broker) as process:
        async with audit_process.browser(process.ops) as ops, asyncio.timeout(20):
            told = {}
            while told.keys() != {"sequencer", "publisher"} or "must not go on" not in told["sequencer"]:
                await asyncio.sleep(0.02)
                told = (await ops.get("/readyz")).json()["waiting"]
        for part in ("not those whose checkpoint was published", "audit-db"):
            assert part in told["publisher"]
        async with asyncio.timeout(20):  # nobody sequences any more who could hold it
            while not await connection.fetchval(  # noqa: ASYNC110
                "SELECT pg_try_advisory_lock($1)", postgres._LEADER_LOCK
            ):
                await asyncio.sleep(0.02)
        assert (await process.get("/timeline")).status_code == 200
        assert REGISTRY.get_sample_value(names.METRIC_REFUSED) == 1
    await connection.close()
