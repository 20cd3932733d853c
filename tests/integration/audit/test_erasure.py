"""Lawful erasure, end to end: the command, audit's whole process with its own logins, Postgres, the published log."""

import asyncio
import itertools
import os
import re

import asyncpg
import pytest

from decklog.adapters.memory import stream as memory
from decklog.cli import exits
from decklog.events.v1 import control_pb2, git_pb2
from decklog.model import canonical, events, topics
from decklog.ports import stream
from services.audit.admin import audit_db
from services.audit.api import statements
from services.audit.projector import rebuilding
from tests import audit_process
from tests import stack as stacks
from tests.integration.test_cli import Terminal
from tests.unit.cli.test_terminal import Session

NAME, ADDRESS = "Grace Brewster Murray", "grace@cobol.example"
SECRETS = (b"Grace Brewster", b"grace@cobol", b"nanosecond", b"Brewster")
BOB = git_pb2.Signature(name="Bob", email="bob@example.org", time_us=1_700_000_000_000_000)
GRACE = git_pb2.Signature(name=NAME, email=ADDRESS, time_us=1_700_000_000_000_000)


def commit(digit, author, *, committer=BOB, message="Scale up", trailers=()):
    return git_pb2.CommitObserved(
        source="infrastructure", commit=digit * 40, tree="1" * 40, author=author, committer=committer, message=message,
        trailers=[git_pb2.Trailer(key=key, value=value) for key, value in trailers],
    )  # fmt: skip


def commits():
    """Of whom, and as what: two by Grace, one that she signed off, two that are not hers."""
    return [
        commit("a", GRACE, message="Hand out a nanosecond"),
        commit("b", BOB),
        commit("c", BOB, committer=GRACE, message="nanosecond again"),
        commit("d", BOB, trailers=[("Signed-off-by", f"{NAME} <{ADDRESS.upper()}>")]),
        commit("e", BOB, message="Bob alone"),
    ]


@pytest.fixture
async def terminal(database, tmp_path):
    async with audit_process.running(database, tmp_path) as process:
        last = await process.say("ingest", *commits(), key="infrastructure")
        await process.get("/timeline", after=last)
        await audit_process.published(process)
        yield Terminal(process)


async def everything(database, folder):
    """Every value of every table of both schemas, every file of the log, as bytes."""
    connection = await asyncpg.connect(database)
    tables = await connection.fetch(
        "SELECT c.oid::regclass::text AS name FROM pg_class c WHERE c.relkind = 'r' "
        "AND c.relnamespace::regnamespace::text IN ('ledger', 'audit', 'audit_rebuild', 'audit_retired')"
    )
    found = []
    for table in tables:
        for row in await connection.fetch(f"SELECT * FROM {table['name']}"):  # noqa: S608
            found += [one if isinstance(one, bytes) else str(one).encode() for one in row.values()]
    await connection.close()
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(found), files


async def salts_of(database, leaves):
    connection = await asyncpg.connect(database)
    rows = await connection.fetch("SELECT salt FROM ledger.payload WHERE leaf = ANY ($1)", leaves)
    await connection.close()
    return [row["salt"] for row in rows]


async def test_nothing_of_a_person_is_left_and_everything_still_proves(terminal, database, tmp_path):
    """Shown, confirmed, erased: no table, file, page or answer holds it, others' events stay, and the log verifies."""
    process = terminal.process
    listed = (await terminal.run("timeline", "-o", "json")).json
    hers = [one["leaf"] for one in listed if one["kind"] == "CommitObserved" and one["summary"][0] in "acd"]
    assert len(hers) == 3
    salts = await salts_of(database, hers)
    before, files = await everything(database, process.folder / "log")
    assert all(secret in before for secret in SECRETS)
    assert all(any(salt in file for file in files) for salt in salts)
    proof = tmp_path / "hers.tlog-proof"
    vkey = (await terminal.run("ledger", "vkey")).out.strip()
    event = next(one["event_id"] for one in listed if one["leaf"] == hers[0])
    assert (await terminal.run("prove", event, "-o", str(proof))).code == 0

    erased = await terminal.run("erase", "--subject", ADDRESS, "--reason", "order 12/26", "--yes", "-o", "json")
    assert erased.code == 0, erased.err
    assert sorted(one["leaf"] for one in erased.json["events"]) == sorted(hers)
    assert [one["where"] for one in erased.json["copies"]] == [
        "topic t.git.v1",
        "backups of Postgres and of the log's folder",
    ]
    await audit_process.published(process)

    after, files = await everything(database, process.folder / "log")
    for secret in SECRETS:
        assert secret not in after
        assert not any(secret in file for file in files)
    assert not any(salt in after or any(salt in file for file in files) for salt in salts)
    assert b"Bob alone" in after
    for path in ("/timeline", f"/events/{event}", "/applications", "/sources"):
        answer = await process.get(path)
        assert not any(secret in answer.content for secret in SECRETS)
    async with process.stranger(Authorization=f"Bearer {audit_process.SECRET}") as page:
        shown = await page.get("/")
        assert not any(secret in shown.content for secret in SECRETS)
    shown = await terminal.run("show", event)
    assert "erased" in shown.out

    assert (await terminal.run("verify", str(proof), "--vkey", vkey)).code == 0
    copy = tmp_path / "copy"
    assert (await terminal.run("ledger", "export", str(copy))).code == 0
    verified = await terminal.run("verify", str(copy), "--vkey", vkey)
    assert verified.code == 0, verified.out + verified.err
    findings, audit, _ = await audit_db._audit(database, 10, audit_db.Told(log=process.folder / "log"))
    assert [str(one) for one in findings] == []
    assert len(audit.erased) == 2
    compared = await rebuilding.compare(stacks.logins(database)[stacks.Part.PROJECTOR], tell=lambda *_: None)
    assert compared.differences == []


async def test_projections_from_before_an_erasure_are_no_finding(terminal, database, capsys):
    """Until they are made anew they tell of what is erased: audit-db says so, and raises no alarm."""
    ordered = (
        "SELECT EXISTS (SELECT FROM ledger.entry WHERE convert_from(receipt, 'UTF8') LIKE '%\"kind\":\"erasure\"%')"
    )
    connection = await asyncpg.connect(database)
    async with connection.transaction():
        await connection.execute(rebuilding.HOLD)  # as any long read does: nothing takes the tables' place
        command = terminal.run("erase", "--subject", NAME, "--reason", "order", "--yes")
        erasing = asyncio.create_task(command)
        async with asyncio.timeout(20):
            while not await connection.fetchval(ordered):  # noqa: ASYNC110 (a table)
                await asyncio.sleep(0.02)
        findings, *_ = await audit_db._audit(database, 10)
        assert findings == []
        assert "projections not compared" in capsys.readouterr().err
    await connection.close()
    assert (await erasing).code == 0
    findings, *_ = await audit_db._audit(database, 10)
    assert findings == []
    assert "not compared" not in capsys.readouterr().err


async def test_while_the_ledger_does_not_take_it_in_nothing_is_said_to_be_erased(terminal):
    """The request is recorded, and that is all; it is carried out once the ledger goes on."""
    topic = topics.CONTROL.name(audit_process.PREFIX)
    terminal.process.broker.hold(topic)
    late = await terminal.run("erase", "--subject", NAME, "--reason", "order", "--yes", "--timeout", "1s")
    assert late.code == exits.Code.TIMED_OUT
    assert "nothing is known to be erased" in " ".join(late.err.split())
    (request,) = re.findall(r"event ([0-9a-f-]{36})", late.err)
    terminal.process.broker.release(topic)
    assert (await terminal.process.get(f"/erasures/{request}", timeout=20)).json()["stage"] == "erased"


async def test_an_erased_event_that_comes_again_is_a_duplicate(terminal):
    """Kafka may still have it: it is known by its id, and nothing of it comes back."""
    assert (await terminal.run("erase", "--subject", NAME, "--reason", "order", "--yes")).code == 0
    last = await terminal.process.say("ingest", commits()[0], audit_process.commit("f"), key="infrastructure")
    timeline = (await terminal.process.get("/timeline", after=last)).text
    assert "nanosecond" not in timeline
    newest = (await terminal.process.get(f"/events/{last}")).json()["leaf"]
    again = (await terminal.process.get(f"/leaves/{newest - 1}")).json()
    assert (again["kind"], again["payload"]["sha256"]) == ("duplicate", None)


async def test_a_legal_hold_forbids_it(terminal):
    """Refused while it stands, by whatever way it is asked; listed with who and why; possible once it is released."""
    placed = await terminal.run("legal-hold", "place", "case 7", "--reason", "litigation")
    assert (placed.code, placed.err.splitlines()[-1]) == (0, "Legal hold case 7 stands: nothing is erased")
    again = await terminal.run("legal-hold", "place", "case 7", "--reason", "litigation")
    assert again.code == exits.Code.REFUSED
    assert "case 7" in (await terminal.run("legal-hold", "list")).out
    refused = await terminal.run("erase", "--subject", NAME, "--reason", "order", "--yes")
    assert refused.code == exits.Code.REFUSED
    assert "a legal hold stands: case 7, placed by alice: litigation" in " ".join(refused.err.split())
    assert (await terminal.run("legal-hold", "release", "case 8", "--reason", "x")).code == exits.Code.NOT_FOUND
    assert (await terminal.run("legal-hold", "release", "case 7", "--reason", "settled")).code == 0
    assert "No legal hold stands" in (await terminal.run("legal-hold", "list")).out
    assert (await terminal.run("erase", "--subject", NAME, "--reason", "order", "--yes")).code == 0
    kinds = [one["kind"] for one in (await terminal.run("timeline", "-o", "json")).json]
    assert kinds[-4:] == ["LegalHoldPlaced", "LegalHoldReleased", "ErasureRequested", "Erasure"]


async def test_a_hold_that_comes_first_into_the_ledger_counts(terminal, database):
    """The API let the request pass; the ledger does not, and says so."""
    hold = control_pb2.LegalHoldPlaced(hold="case 9")
    leaves = [control_pb2.LeafRange(first=0, end=1)]
    request = control_pb2.ErasureRequested(reason="order", leaves=leaves)
    last = await terminal.process.say("audit", hold, request, key="@ledger/@ledger")
    await terminal.process.get("/timeline", after=last)
    assert (await terminal.process.get(f"/erasures/{last}")).json()["stage"] == "refused"
    assert len(await salts_of(database, [0])) == 1


async def test_a_hold_that_comes_behind_the_request_is_too_late(terminal, database):
    """Sequenced together, in that order: erased, and the ledger goes on under the hold."""
    request = control_pb2.ErasureRequested(reason="order", leaves=[control_pb2.LeafRange(first=0, end=1)])
    said = await terminal.process.say(
        "audit", request, control_pb2.LegalHoldPlaced(hold="case 9"), key="@ledger/@ledger"
    )
    await terminal.process.get("/timeline", after=said)
    assert await salts_of(database, [0]) == []
    assert "case 9" in (await terminal.run("legal-hold", "list")).out


async def test_mistakes_are_told_before_anything_happens(terminal):
    """Nobody selected, both, an unknown person, a telling reason, a script that does not say --yes."""
    for arguments, code, text in (
        (["--reason", "x"], exits.Code.USAGE, "--subject"),
        (["--subject", NAME, "--event", "abcd", "--reason", "x"], exits.Code.USAGE, "not both"),
        (["--subject", "Nobody", "--reason", "x"], exits.Code.NOT_FOUND, "no event holds data"),
        (["--subject", NAME, "--reason", f"request of {NAME.lower()}"], exits.Code.USAGE, "names the subject"),
        (["--subject", NAME, "--reason", "x"], exits.Code.USAGE, "say --yes"),
        (["--event", "ffffffffffff", "--reason", "x", "--yes"], exits.Code.NOT_FOUND, "there is no event"),
    ):
        ended = await terminal.run("erase", *arguments)
        assert (ended.code, ended.out) == (code, ""), ended.err
        assert text in " ".join(ended.err.split())
    assert "nanosecond" in (await terminal.run("timeline")).out


def asked(terminal, *arguments):
    """The command on a terminal, where it asks."""
    told = {
        "DECKLOG_SERVER": terminal.process.address,
        "DECKLOG_TOKEN_FILE": str(terminal.process.folder / "token"),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DECKLOG_", "COLUMNS"))}
    return Session(["erase", *arguments], kept | told | {"TERM": "xterm"})


@pytest.mark.parametrize("by", ["subject", "event"])
async def test_what_came_while_it_asked_is_named_with_the_command_that_erases_it(terminal, by):
    """It erases what it showed; the rest is no silent remainder, and the command does what it says."""
    process = terminal.process
    said = await process.say("ingest", commit("f", GRACE), key="infrastructure")
    await process.get("/timeline", after=said)
    chosen, number = (("--subject", NAME), 4) if by == "subject" else (("--event", said), 1)
    session = asked(terminal, *chosen, "--reason", "order 12/26")
    await asyncio.to_thread(session.hear, f"Type {number} to erase")
    await _again(process, await _sent(process, said), events.encode(commit("f", GRACE, message="Other bytes")))
    last = await process.say("ingest", commit("9", BOB), key="infrastructure")
    leaf = (await process.get(f"/events/{last}", after=last)).json()["leaf"] - 1
    session.type(f"{number}\n")
    assert await asyncio.to_thread(session.end) == exits.Code.FAILED
    told = " ".join(session.said.split())
    assert f"{number} payload" in told
    assert "1 payload came while this was erased, and can still be read" in told
    assert f"leaf {leaf} " in told
    command = f"erase --subject '{NAME}'" if by == "subject" else f"erase --event {leaf}"
    assert f"next decklog {command} --reason 'order 12/26'" in told.replace("\x1b[2m", "").replace("\x1b[0m", "")
    chosen = chosen if by == "subject" else ("--event", str(leaf))
    assert (await terminal.run("erase", *chosen, "--reason", "order 12/26", "--yes")).code == 0


async def test_of_whoever_erases_their_own_the_request_stays(terminal):
    """It names who asked, as the ledger must say for ever; that is no remainder."""
    await terminal.run("legal-hold", "place", "case 7", "--reason", "litigation")
    await terminal.run("legal-hold", "release", "case 7", "--reason", "settled")
    erased = await terminal.run("erase", "--subject", "alice", "--reason", "order", "--yes")
    assert erased.code == 0, erased.err


async def test_a_person_types_how_many_they_are(terminal):
    """What would go is listed on the terminal; anything but the number erases nothing and asks again."""

    def play(*answers):
        session = asked(terminal, "--subject", NAME, "--reason", "order")
        session.hear("Type 3 to erase 3 payloads for ever")
        for answer in answers:
            session.type(f"{answer}\n")
            session.hear("Write 3")
        if answers:
            session.type("3\n")
        else:
            session.interrupt()
        return session.end(), session.said

    code, said = await asyncio.to_thread(play)
    assert code == exits.Code.INTERRUPTED
    assert "author" in said
    assert "Signed-off-by" in said
    assert "nanosecond" in (await terminal.run("timeline")).out
    code, said = await asyncio.to_thread(play, "yes")
    assert (code, "3 payloads erased" in said) == (0, True), said
    assert "nanosecond" not in (await terminal.run("timeline")).out


async def test_single_events_are_erased_by_their_ids(terminal):
    """A beginning of an id will do; asked again there is nothing left to erase."""
    listed = (await terminal.run("timeline", "-o", "json")).json
    event = next(one["event_id"] for one in listed if "nanosecond" in one["summary"])
    assert (await terminal.run("erase", "--event", event, "--reason", "order", "--yes")).code == 0
    assert event in (await terminal.run("timeline", "-o", "json")).out
    again = await terminal.run("erase", "--event", event, "--reason", "order", "--yes")
    assert again.code == exits.Code.NOT_FOUND
    assert "erased already" in " ".join(again.err.split())


async def _sent(process, identifier):
    """The record of an event, as it came by Kafka."""
    return next(
        one
        for number in range(process.broker.partitions("t.git.v1"))
        for one in process.broker.log(stream.TopicPartition("t.git.v1", number))
        if ("ce_id", identifier.encode()) in one.headers
    )


async def _again(process, known, value, headers=None):
    """The same record once more, with another value or headers."""
    message = stream.Message(
        topic=known.topic, key=known.key, value=value, headers=headers or known.headers, partition=known.partition
    )
    await memory.MemoryProducer(process.broker).send(message)


async def test_an_event_is_erased_with_all_that_came_under_its_id(terminal, database):
    """Duplicate, conflict, poison: whoever names the event means every copy of its bytes. Asked again, none is left."""
    process = terminal.process
    said = await process.say("ingest", commit("f", GRACE), key="infrastructure")
    first = (await process.get(f"/events/{said}", after=said)).json()["leaf"]
    known = await _sent(process, said)
    await _again(process, known, known.value)
    await _again(process, known, events.encode(commit("f", git_pb2.Signature(name="Ida Rhodes"))))
    await _again(process, known, b"junk of Ida Rhodes")
    await process.get("/timeline", after=await process.say("ingest", commit("9", BOB), key="infrastructure"))
    kinds = [(await process.get(f"/leaves/{first + number}")).json()["kind"] for number in range(4)]
    assert kinds == ["event", "duplicate", "conflict", "poison"]

    erased = await terminal.run("erase", "--event", said, "--reason", "order", "--yes")
    assert erased.code == 0, erased.err
    for leaf, kind in ((first, "event"), (first + 2, "conflict"), (first + 3, "poison")):
        assert re.search(rf"{leaf} .* {kind} ", erased.out), erased.out
    assert await salts_of(database, [first, first + 2, first + 3]) == []
    again = await terminal.run("erase", "--event", said, "--reason", "order", "--yes")
    assert again.code == exits.Code.NOT_FOUND
    assert "Ida Rhodes" not in (await everything(database, process.folder / "log"))[0].decode(errors="replace")


async def test_of_several_sources_with_one_id_it_is_asked_which(terminal, database):
    """Nothing is erased before somebody says; then of that source alone."""
    process = terminal.process
    said = await process.say("ingest", commit("f", GRACE), key="infrastructure")
    first = (await process.get(f"/events/{said}", after=said)).json()["leaf"]
    known = await _sent(process, said)
    headers = dict(known.headers)
    other = headers["ce_source"].decode().rpartition("/")[0] + "/other"
    await _again(process, known, known.value, tuple((headers | {"ce_source": other.encode()}).items()))
    await process.get("/timeline", after=await process.say("ingest", commit("9", BOB), key="infrastructure"))

    asked = await terminal.run("erase", "--event", said, "--reason", "order", "--yes")
    assert asked.code == exits.Code.REFUSED
    told = " ".join(asked.err.split())
    assert f"several sources gave the id {said}: " in told
    assert f"{other} (leaf {first + 1})" in told
    assert len(await salts_of(database, [first, first + 1])) == 2
    erased = await terminal.run("erase", "--event", said, "--source", other, "--reason", "order", "--yes")
    assert erased.code == 0, erased.err
    assert len(await salts_of(database, [first])) == 1
    assert await salts_of(database, [first + 1]) == []


@pytest.mark.parametrize("others", [1, 2])
async def test_an_id_that_other_sources_give_meanwhile_is_no_remainder(terminal, database, others):
    """They are other events: what was shown is erased, which the command says and ends with."""
    process = terminal.process
    said = await process.say("ingest", commit("f", GRACE), key="infrastructure")
    first = (await process.get(f"/events/{said}", after=said)).json()["leaf"]
    session = asked(terminal, "--event", said, "--reason", "order")
    await asyncio.to_thread(session.hear, "Type 1 to erase")
    known = await _sent(process, said)
    whole = dict(known.headers)
    for number in range(others):
        other = f"{whole['ce_source'].decode().rpartition('/')[0]}/other-{number}"
        await _again(process, known, known.value, tuple((whole | {"ce_source": other.encode()}).items()))
    await process.get("/timeline", after=await process.say("ingest", commit("9", BOB), key="infrastructure"))
    session.type("1\n")
    assert await asyncio.to_thread(session.end) == exits.Code.DONE
    assert "1 payload erased" in session.said
    assert await salts_of(database, [first]) == []
    assert len(await salts_of(database, range(first + 1, first + 1 + others))) == others


async def test_a_conflict_that_the_fold_has_not_reached_is_found_by_its_id(terminal, database):
    """Notices know conflicts by id; what they do not know yet is looked for in the leaves."""
    process = terminal.process
    said = await process.say("ingest", commit("f", GRACE), key="infrastructure")
    first = (await process.get(f"/events/{said}", after=said)).json()["leaf"]
    await _again(process, await _sent(process, said), b"other bytes")
    await process.get("/timeline", after=await process.say("ingest", commit("9", BOB), key="infrastructure"))
    connection = await asyncpg.connect(database)
    asks = [statements.ERASABLE_IDS, [said]]
    async with connection.transaction():
        noticed = [row["leaf"] for row in await connection.fetch(*asks)]
        await connection.execute("DELETE FROM audit.notice")
        assert [row["leaf"] for row in await connection.fetch(*asks)] == [first]
        await connection.execute("UPDATE audit.cursor SET next_leaf = $1", first + 1)
        unnoticed = [row["leaf"] for row in await connection.fetch(*asks)]
    await connection.close()
    assert noticed == unnoticed == [first, first + 1]


async def test_what_came_as_conflict_or_poison_can_be_erased(terminal, database):
    """A conflict is found by the person, poison is named and goes by its leaf; nothing of either is left anywhere."""
    process = terminal.process
    last = await process.say("ingest", commit("f", BOB), key="infrastructure")
    first = (await process.get(f"/events/{last}", after=last)).json()["leaf"]
    known = max((one for number in range(process.broker.partitions("t.git.v1"))
                 for one in process.broker.log(stream.TopicPartition("t.git.v1", number))),
                key=lambda one: one.offset)  # fmt: skip
    forged = commit("f", git_pb2.Signature(name="Ida Rhodes", email="ida@nist.example"))

    def message(value, headers):
        return stream.Message(topic=known.topic, key=known.key, value=value, headers=headers, partition=known.partition)

    producer = memory.MemoryProducer(process.broker)
    conflict = await producer.send(message(events.encode(forged), known.headers))
    poison = await producer.send(message(b"junk of Ida Rhodes", (("x-said", b"Ida Rhodes said it"),)))
    await producer.send(message(None, (("x-said", b"without a value, Ida Rhodes"),)))
    assert (conflict.offset, poison.offset) == (known.offset + 1, known.offset + 2)
    await process.get("/timeline", after=await process.say("ingest", commit("9", BOB), key="infrastructure"))
    assert b"Ida Rhodes" in (await everything(database, process.folder / "log"))[0]

    asked = await terminal.run("erase", "--subject", "Ida Rhodes", "--reason", "order")
    assert f"cannot be searched for a person (poison): {first + 2}-{first + 3};" in " ".join(asked.err.split())
    assert re.search(rf"{first + 1} .* conflict +CommitObserved.* author", asked.err), asked.err
    assert (await terminal.run("erase", "--subject", "Ida Rhodes", "--reason", "order", "--yes")).code == 0
    listed = await terminal.run("erase", "--event", str(first + 2), "--reason", "order")
    assert re.search(rf"{first + 2} .* poison +- ", listed.err), listed.err
    both = ("--event", str(first + 2), "--event", str(first + 3))
    erased = await terminal.run("erase", *both, "--reason", "order", "--yes", "-o", "json")
    assert erased.code == 0, erased.err
    assert "topic t.dead-letter.v1" in [one["where"] for one in erased.json["copies"]]
    again = await terminal.run("erase", "--event", str(first + 2), "--reason", "order", "--yes")
    assert again.code == exits.Code.NOT_FOUND

    await audit_process.published(process)
    after, files = await everything(database, process.folder / "log")
    assert b"Ida Rhodes" not in after
    assert not any(b"Ida Rhodes" in file for file in files)
    assert await salts_of(database, [first + 1, first + 2, first + 3]) == []
    assert len(await salts_of(database, [first])) == 1
    findings, *_ = await audit_db._audit(database, 10, audit_db.Told(log=process.folder / "log"))
    assert [str(one) for one in findings] == []


NUL = stream.Message(topic="t.git.v1", key=b"a\0b", value=b"junk", headers=(("x-said", b"y"),), partition=0)


async def test_a_record_whose_key_has_a_nul_keeps_nobody_from_erasing(terminal, database):
    """Postgres has no such text: a person is erased past it, the record itself by its leaf, and audit goes on."""
    process = terminal.process
    await memory.MemoryProducer(process.broker).send(NUL)
    last = await process.say("ingest", commit("9", BOB), key="infrastructure")
    poison = (await process.get(f"/events/{last}", after=last)).json()["leaf"] - 1
    erased = await terminal.run("erase", "--subject", ADDRESS, "--reason", "order", "--yes")
    assert erased.code == 0, erased.err
    assert f"(poison): {poison};" in " ".join(erased.err.split())
    single = await terminal.run("erase", "--event", str(poison), "--reason", "order", "--yes")
    assert single.code == 0, single.err
    assert await salts_of(database, [poison]) == []
    findings, *_ = await audit_db._audit(database, 10)
    assert [str(one) for one in findings] == []


async def test_a_reason_with_a_nul_that_came_past_the_api_is_refused(terminal, database):
    """The request stays an event, nothing goes, and what is sent behind it is sequenced."""
    process = terminal.process
    request = control_pb2.ErasureRequested(reason="a\0b", leaves=[control_pb2.LeafRange(first=0, end=1)])
    said = await process.say("audit", request, key="@ledger/@ledger")
    await process.get("/timeline", after=await process.say("ingest", commit("9", BOB), key="infrastructure"))
    assert (await process.get(f"/erasures/{said}", after=said)).json()["stage"] == "refused"
    assert len(await salts_of(database, [0])) == 1


async def test_no_receipt_is_beyond_reading(database):
    """Whatever texts stand in a receipt: what is read differs in nothing but NUL, and letters that look like one."""
    pieces = ["a", "\0", "\\", '"', "u0000", "\ud7ff", "\U0010ffff", "\x1f", "\ufffd"]
    texts = ["".join(chosen) for length in (1, 2, 3, 4) for chosen in itertools.product(pieces, repeat=length)]
    written = [canonical.encode({"key": text, "kind": "poison"}) for text in texts]
    connection = await asyncpg.connect(database)
    rows = await connection.fetch(
        "SELECT s.said ->> 'kind' AS kind, s.said ->> 'key' AS key FROM unnest($1::bytea[]) WITH ORDINALITY w (r, n) "
        "CROSS JOIN LATERAL (SELECT ledger.said(w.r) AS said) s ORDER BY n",
        written,
    )
    await connection.close()
    assert {row["kind"] for row in rows} == {"poison"}
    plain = [text.replace("\\u0000", "\\ufffd").replace("\0", "\ufffd") for text in texts]
    assert [row["key"] for row in rows] == plain


async def test_what_an_eraser_may_not_do_by_itself(database):
    """The eraser's login erases what a leaf orders and nothing else; nobody else can call the function at all."""
    logins = stacks.logins(database)
    for part, error in ((stacks.Part.ERASER, asyncpg.RestrictViolationError),
                        (stacks.Part.WRITER, asyncpg.InsufficientPrivilegeError),
                        (stacks.Part.API, asyncpg.InsufficientPrivilegeError)):  # fmt: skip
        connection = await asyncpg.connect(logins[part])
        with pytest.raises(error):
            await connection.execute("SELECT ledger.erase(0)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM ledger.payload")
        await connection.close()


async def test_a_payload_that_vanished_is_told_from_one_that_was_erased(terminal, database):
    """audit-db names the one and is silent of the other; and what is still there although it was erased."""
    assert (await terminal.run("erase", "--subject", NAME, "--reason", "order", "--yes")).code == 0
    connection = await asyncpg.connect(database)
    gone = await connection.fetchval("SELECT max(leaf) FROM ledger.payload WHERE value LIKE '%Bob alone%'")
    ordered = await connection.fetchval("SELECT min(leaf) FROM ledger.entry e WHERE NOT EXISTS "
                                        "(SELECT FROM ledger.payload p WHERE p.leaf = e.leaf)")  # fmt: skip
    await connection.execute("ALTER TABLE ledger.payload DISABLE TRIGGER append_only")
    await connection.execute("DELETE FROM ledger.payload WHERE leaf = $1", gone)
    await connection.execute("INSERT INTO ledger.payload VALUES ($1, sha256('x'), 'y', NULL)", ordered)
    await connection.execute("ALTER TABLE ledger.payload ENABLE ALWAYS TRIGGER append_only")
    await connection.close()
    findings, *_ = await audit_db._audit(database, 10, projections=False)
    assert [str(one) for one in findings] == [
        f"leaf {ordered}: its payload is not the one its receipt commits to",
        f"leaf {ordered}: the deduplication index has another digest of its payload, or none",
        f"leaf {ordered}: it was erased, and ledger.payload still tells of its payload",
        f"leaf {gone}: its payload is gone, and no leaf says that it was erased",
    ]
