"""The shipped command against a whole audit process: what it prints, where, and how it ends."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from asyncio.subprocess import PIPE
from asyncio.subprocess import Process as Command
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from decklog.adapters.memory import stream as memory
from decklog.cli import exits
from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2, git_pb2
from decklog.model import events, printable
from decklog.ports import stream
from tests import audit_leaves as some
from tests import audit_process, sequenced
from tests.audit_process import Process

CREATE = ("app", "create", "example-app", "--repo", "https://git.example/example.git", "--path", "apps",
          "--dest-cluster", "dev", "--dest-namespace", "default", "--mode", "heal", "--prune")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        """Standard output, which must be JSON and nothing else."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Terminal:
    """Runs `decklog` as a user with the running server's settings."""

    process: Process

    async def start(self, *arguments: str, **changed: str) -> Command:
        """Start one command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DECKLOG_")}
        told = {"DECKLOG_SERVER": self.process.address, "DECKLOG_TOKEN_FILE": str(self.process.folder / "token")}
        environment = kept | told | {"COLUMNS": "80", "TZ": "UTC"} | changed
        command = (sys.executable, "-m", "decklog.cli.main", *arguments)
        return await asyncio.create_subprocess_exec(*command, env=environment, stdin=-3, stdout=PIPE, stderr=PIPE)

    async def run(self, *arguments: str, **changed: str) -> Ended:
        """Run one command to its end."""
        started = await self.start(*arguments, **changed)
        async with asyncio.timeout(60):
            out, err = await started.communicate()
        return Ended(started.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def terminal(database: str, tmp_path: Path) -> AsyncIterator[Terminal]:
    async with audit_process.running(database, tmp_path) as process:
        yield Terminal(process)


async def drifted(process: Process) -> None:
    """An application that is declared in Git, rendered, and drifts; everything is projected."""
    await process.say("ingest", some.declared(), key="application/shop")
    messages = (some.rendered(("settings", "j1:a")), some.drift(drift_pb2.DRIFT_PHASE_OPENED))
    await process.get("/applications", after=await process.say("reconcile", *messages))


async def test_an_application_is_created_listed_and_removed(terminal: Terminal) -> None:
    """Standard output is what was asked for, messages are on standard error, each event can be shown."""
    created = await terminal.run(*CREATE, "--wait", "recorded", "-o", "json")
    declared, *look_now, recorded = created.err.splitlines()
    assert (created.code, declared, recorded) == (0, "Application example-app declared", "example-app is recorded")
    assert "decklog source --help" in " ".join(look_now)
    event = created.json["event_id"]  # type: ignore[index]
    assert (await terminal.run("app", "list", "-o", "name")).out == "example-app\n"
    listed = await terminal.run("app", "list")
    assert listed.out.splitlines()[1].split() == ["example-app", "unknown", "unknown", "-", "heal", "-", "0"]
    assert (await terminal.run("source", "list", "-o", "name")).out == "example\ninfrastructure\n"
    assert "dev.decklog.v1.ApplicationDeclared" in (await terminal.run("show", event[:23])).out
    removed = await terminal.run("app", "delete", "example-app", "--keep", "--reason", "moved")
    assert removed.err == "Application example-app removed; its objects stay in the cluster\n"


async def test_an_application_is_changed_and_keeps_what_was_not_named(terminal: Terminal) -> None:
    """`app create` of an existing name leads to `app set`, which says what changed; Git's declarations are Git's."""
    assert (await terminal.run(*CREATE)).code == 0
    again = await terminal.run(*CREATE)
    assert again.code == exits.Code.REFUSED
    assert "decklog app set example-app" in " ".join(again.err.split())
    assert "--keep" in again.err
    changed = await terminal.run(
        "app", "set", "example-app", "--mode", "detect", "--no-prune", "--path", "other", "--health-timeout", "5m",
        "--reason", "incident 7", "--wait", "recorded", "-o", "json"
    )  # fmt: skip
    assert changed.code == 0, changed.err
    assert " ".join(changed.err.split()) == (
        "Application example-app changed: mode heal → detect, prune yes → no, path apps → other, "
        "healthTimeoutSeconds (default) → 300 example-app is recorded"
    )
    shown = (await terminal.run("app", "get", "example-app", "-o", "json")).json
    spec = shown["spec"]  # type: ignore[index]
    assert (spec["mode"], spec.get("prune", False), spec["path"]) == ("detect", False, "other")
    assert (spec["source"], spec["destNamespace"], spec["healthTimeoutSeconds"]) == ("example", "default", 300)
    event = (await terminal.run("show", changed.json["event_id"])).out  # type: ignore[index]
    assert "incident 7" in event
    undone = await terminal.run("app", "set", "example-app", "--health-timeout", "", "--dest-namespace", "")
    assert "destNamespace default → (default)" in " ".join(undone.err.split())
    same = await terminal.run("app", "set", "example-app", "--mode", "detect")
    assert (same.code, same.err) == (0, "Application example-app is so already\n")
    await drifted(terminal.process)
    refused = await terminal.run("app", "set", "shop", "--mode", "off")
    assert (refused.code, "fleet.yaml:3" in refused.err) == (exits.Code.REFUSED, True)
    missed = await terminal.run("app", "set", "exmaple-app", "--mode", "off")
    assert (missed.code, "Did you mean 'example-app'?" in missed.err) == (exits.Code.NOT_FOUND, True)


async def test_a_source_that_nobody_uses_is_removed(terminal: Terminal) -> None:
    """What `app create --repo TYPO` declared: refused while it is used, then gone from the list, and recorded."""
    assert (await terminal.run(*CREATE)).code == 0
    used = await terminal.run("source", "delete", "example")
    assert used.code == exits.Code.REFUSED
    assert "source example is used by example-app" in used.err
    assert (await terminal.run("app", "delete", "example-app", "--keep")).code == 0
    missed = await terminal.run("source", "delete", "exmaple")
    assert (missed.code, "Did you mean 'example'?" in missed.err) == (exits.Code.NOT_FOUND, True)
    removed = await terminal.run("source", "delete", "example", "--reason", "a typo", "-o", "json")
    assert (removed.code, removed.err) == (0, "Source example removed; it is no longer followed\n")
    shown = await terminal.run("show", removed.json["event_id"])  # type: ignore[index]
    assert "dev.decklog.v1.SourceRemoved" in shown.out
    assert (await terminal.run("source", "list", "-o", "name")).out == "infrastructure\n"


async def test_what_is_declared_in_git_is_refused_with_the_file(terminal: Terminal) -> None:
    """409: the command line leads to where it must be changed."""
    await drifted(terminal.process)
    refused = await terminal.run("app", "delete", "shop", "--cascade")
    assert (refused.code, refused.out) == (exits.Code.REFUSED, "")
    assert "fleet.yaml:3" in refused.err


async def test_a_misspelt_name_leads_to_the_right_one(terminal: Terminal) -> None:
    """404 from get, sync, delete and state alike."""
    await drifted(terminal.process)
    for command in (["app", "get"], ["app", "sync"], ["app", "delete", "--keep"], ["state", "--app"]):
        missed = await terminal.run(*command, "shpo")
        assert missed.code == exits.Code.NOT_FOUND
        assert "Did you mean 'shop'?" in missed.err


async def test_what_is_not_as_it_must_be_is_counted_listed_and_shown(terminal: Terminal) -> None:
    """Poison, a conflict, a misplaced key and a clock ahead: in `status`, `notice list`, on the page, and by kind."""
    process, producer = terminal.process, memory.MemoryProducer(terminal.process.broker)
    junk = stream.Message(topic="t.git.v1", key=b"infrastructure", value=b"junk", partition=0)
    event = sequenced.event(1)
    other = event._replace(data=events.encode(git_pb2.RefMoved(ref="refs/heads/other")))
    elsewhere = (sequenced.message(event).partition + 1) % 12
    tomorrow = sequenced.event(3, time_us=(time.time_ns() // 1000) + 2 * 24 * 3600 * 1_000_000)
    for sent in (
        junk,
        sequenced.message(event),
        sequenced.message(other),
        sequenced.message(sequenced.event(2), partition=elsewhere),
        sequenced.message(tomorrow),
    ):
        await producer.send(sent)
    async with asyncio.timeout(20):
        while len((await process.get("/notices")).json()["items"]) < 4:  # noqa: ASYNC110 (the server is asked)
            await asyncio.sleep(0.02)
    counted = (await terminal.run("status")).out
    for kind in ("poison", "conflict", "partition", "clock"):
        assert re.search(rf"^{kind} +1 ", counted, re.MULTILINE), counted
        listed = await terminal.run("notice", "list", "--kind", kind)
        assert [line.split()[2] for line in listed.out.splitlines() if kind in line] == [kind]
    listed = await terminal.run("notice", "list", "--topic", "t.git.v1", "--since", "-1h", "-o", "json")
    assert {one["kind"] for one in listed.json} == {"poison", "conflict", "partition", "clock"}  # type: ignore[attr-defined]
    assert (await terminal.run("notice", "list", "--kind", "gap")).out == "No notice.\n"
    assert (await terminal.run("notice", "list", "--since", "yesterday-ish")).code == exits.Code.USAGE
    page = (await process.api.get(process.address + "/record")).text
    assert "other bytes" in page
    assert "ce_time is over 24 hours in the future" in page


async def test_a_cluster_is_confirmed_by_the_command_that_the_list_names(terminal: Terminal) -> None:
    """`cluster list` says what is wrong and what to type; after that it is confirmed."""
    for before, after in (("", "u1"), ("u1", "u2")):
        changed = fleet_pb2.ClusterIdentityChanged(cluster="dev", before=before, after=after)
        last = await terminal.process.say("reconcile", changed, key="cluster/dev")
    await terminal.process.get("/clusters", after=last)
    listed = await terminal.run("cluster", "list")
    assert "it is now u2, not u1 as confirmed" in listed.out
    (line,) = [line for line in listed.out.splitlines() if "decklog cluster confirm" in line]
    command = line.partition("decklog ")[2].split()
    confirmed = await terminal.run(*command, "--reason", "moved", "--wait", "recorded", "-o", "json")
    assert (confirmed.code, confirmed.err) == (0, "Identity of cluster dev confirmed\ndev is recorded\n")
    assert "confirmed" in (await terminal.run("cluster", "list")).out.splitlines()[1]
    again = await terminal.run(*command)
    assert (again.code, "nothing to do" in again.err) == (exits.Code.REFUSED, True)
    assert (await terminal.run("cluster", "confirm", "dve")).code == exits.Code.NOT_FOUND


async def test_a_wrong_token_is_refused_and_not_shown(terminal: Terminal, tmp_path: Path) -> None:
    """401: which file to look at, never what is in it."""
    other = tmp_path / "other"
    other.touch(0o600)
    other.write_text("alice.wrong")
    refused = await terminal.run("app", "list", DECKLOG_TOKEN_FILE=str(other))
    assert refused.code == exits.Code.REFUSED
    assert "token" in refused.err
    assert "alice.wrong" not in refused.err


async def test_drift_is_listed_and_shown_by_the_beginning_of_its_id(terminal: Terminal) -> None:
    """The table's short id is enough for `drift show`."""
    await drifted(terminal.process)
    row = (await terminal.run("drift", "list")).out.splitlines()[1].split()
    shown = await terminal.run("drift", "show", row[0])
    assert "replace  /data/a" in shown.out
    assert (await terminal.run("drift", "show", "ffffffff")).code == exits.Code.NOT_FOUND
    assert "drifted" in (await terminal.run("app", "get", "shop")).out


async def test_two_moments_differ_in_exactly_what_changed(terminal: Terminal) -> None:
    """`state --at` takes the id of an event; `--diff` names the field; `-o yaml` prints manifests."""
    await terminal.process.say("ingest", some.declared(), key="application/shop")
    first = await terminal.process.say("reconcile", some.changed(5))
    await terminal.process.get("/applications", after=first)
    last = await terminal.process.say("reconcile", some.changed(6))
    await terminal.process.get("/applications", after=last)
    (change,) = (await terminal.run("state", "--app", "shop", "--at", first, "--diff", "now", "-o", "json")).json  # type: ignore[misc]
    assert [(one["path"], one["before"], one["after"]) for one in change["fields"]] == [("/data/a", "5", "6")]
    yaml = await terminal.run("state", "--cluster", "dev", "--at", last, "-o", "yaml")
    assert yaml.out.endswith("---\ndata:\n  a: '6'\n")
    assert ": 1 object\n" in yaml.out
    everywhere = await terminal.run("state", "--at", "-1h")
    assert (everywhere.code, everywhere.out) == (0, "Not known.\n")


@pytest.mark.parametrize("why", ["removed", "off"])
async def test_objects_that_nobody_watches_any_more_are_said_to_be_old(terminal: Terminal, why: str) -> None:
    """What was left in the cluster is as it was seen last; before that moment nothing is to be said."""
    process = terminal.process
    await process.say("ingest", some.declared(), key="application/shop")
    seen = await process.say("reconcile", some.changed(5))
    await process.get("/applications", after=seen)
    if why == "off":
        left = await process.say("ingest", some.declared(mode=fleet_pb2.MODE_OFF), key="application/shop")
    else:
        before = some.declared()
        removed = fleet_pb2.ApplicationRemoved(name="shop", before=before.after, origin=before.origin)
        left = await process.say("ingest", removed, key="application/shop")
    await process.get("/applications", after=left)
    then, now, everywhere = [
        await terminal.run("state", *asked)
        for asked in (("--app", "shop", "--at", seen), ("--app", "shop"), ("--cluster", "dev", "-o", "yaml"))
    ]
    assert (then.code, then.err, "settings" in then.out) == (0, "", True)
    when = "when it was removed" if why == "removed" else "when its mode became off"
    for found in (now, everywhere):
        said = " ".join(found.err.split())
        assert said.startswith("Note: application shop has not been watched since 20"), said
        assert said.endswith(f", {when}; here as last seen then: 1 object"), said


async def test_the_timeline_is_read_oldest_first_and_filtered(terminal: Terminal) -> None:
    """The leaf of a line is enough for `show`."""
    await drifted(terminal.process)
    found = (await terminal.run("timeline", "--app", "shop", "--since", "1h", "-o", "json")).json
    assert [one["kind"] for one in found] == ["ApplicationDeclared", "Rendered", "DriftObserved"]  # type: ignore[attr-defined]
    leaf = str(found[-1]["leaf"])  # type: ignore[index]
    assert (await terminal.run("show", leaf, "-o", "name")).out == f"{found[-1]['event_id']}\n"  # type: ignore[index]
    assert (await terminal.run("timeline", "--until", "1h ago")).out == "Nothing happened there.\n"
    cut = await terminal.run("timeline", "--limit", "2", "-o", "name")
    assert len(cut.out.splitlines()) == 2
    assert cut.err == "Note: older lines are not shown, only the newest 2: --limit N shows more\n"
    exact = await terminal.run("timeline", "--app", "shop", "--limit", "3")
    assert (exact.code, exact.err) == (0, "")  # all of them: nothing is left out
    assert (await terminal.run("timeline", "--limit", "2", "-o", "json")).err == ""


def healed() -> drift_pb2.DriftObserved:
    """The drift of `drifted` is over: the object is compared, and as in Git."""
    said = some.drift(drift_pb2.DRIFT_PHASE_RESOLVED, drift_pb2.VERDICT_IN_SYNC)
    said.desired_digest = "j1:a"
    return said


async def test_a_followed_timeline_shows_what_happens_until_ctrl_c(terminal: Terminal) -> None:
    """What was, then what comes; Ctrl-C ends it with 130 and no traceback."""
    await drifted(terminal.process)
    following = await terminal.start("timeline", "--follow", "--app", "shop", "-o", "json")
    assert following.stdout is not None
    async with asyncio.timeout(60):
        was = [json.loads(await following.stdout.readline())["kind"] for _ in range(3)]
        await terminal.process.say("reconcile", healed())
        comes = json.loads(await following.stdout.readline())
    assert was[-1] == "DriftObserved"
    assert comes["summary"].endswith("is as in Git again")
    following.send_signal(signal.SIGINT)
    _, err = await following.communicate()
    assert following.returncode == exits.Code.INTERRUPTED
    assert "Traceback" not in err.decode()


async def test_a_followed_timeline_that_begins_with_nothing_shows_what_comes_alone(terminal: Terminal) -> None:
    """Of what is older than the answer that held nothing, no line ever comes."""
    await drifted(terminal.process)
    following = await terminal.start("timeline", "--follow", "--since", "now", "-o", "json")
    assert following.stdout is not None
    line = asyncio.ensure_future(following.stdout.readline())
    async with asyncio.timeout(60):
        while not line.done():  # it does not say when it has begun
            last = await terminal.process.say("reconcile", healed())
            await asyncio.wait([line], timeout=0.2)
    first = json.loads(await line)
    assert first["summary"].endswith("is as in Git again"), first
    assert (await terminal.process.get(f"/events/{last}", after=last)).json()["leaf"] >= first["leaf"]
    following.send_signal(signal.SIGINT)
    await following.communicate()


async def test_what_a_committer_writes_does_nothing_to_a_terminal_and_turns_no_text_around(terminal: Terminal) -> None:
    """Sequences for the terminal and changes of direction are shown as what they are, in the CLI and on the page."""
    forged = audit_process.commit()
    forged.message = "Fix \x1b[31mred\x1b[8m \x9b2J \u202ecod.exe"
    forged.author.name = "Mal\x1b[1mlory"
    last = await terminal.process.say("ingest", forged, key="infrastructure")
    await terminal.process.get("/timeline", after=last)
    outputs = [
        (await terminal.run(*command)).out
        for command in (["timeline"], ["show", last], ["timeline", "-o", "json"], ["show", last, "-o", "yaml"])
    ]
    outputs.append((await terminal.process.api.get(f"{terminal.process.address}/")).text)
    for text in outputs:
        assert not printable.hides(text)
        assert "u202ecod.exe" in text
    assert r"Mal\e[1mlory" in outputs[1]


async def test_a_timeline_begins_at_an_event_and_takes_several_kinds(terminal: Terminal) -> None:
    """`--since EVENT` as `state --at EVENT`; each --kind adds its lines; what the timeline shows can be asked for."""
    await drifted(terminal.process)
    listed = (await terminal.run("timeline", "-o", "json")).json
    rendered = next(one for one in listed if one["kind"] == "Rendered")
    since = await terminal.run("timeline", "--since", rendered["event_id"][:30], "-o", "json")
    assert [one for one in since.json if one["leaf"] < rendered["leaf"]] == [
        one for one in listed if one["recorded_us"] == rendered["recorded_us"] and one["leaf"] < rendered["leaf"]
    ]
    assert rendered in since.json
    kinds = await terminal.run("timeline", "--kind", "Rendered", "--kind", "DriftObserved", "-o", "json")
    assert {one["kind"] for one in kinds.json} == {"Rendered", "DriftObserved"}
    late = await terminal.run("timeline", "--kind", "Late")
    assert (late.code, late.err) == (0, "")
    wrong = await terminal.run("timeline", "--kind", "Late", "--kind", "Rendred")
    assert (wrong.code, "Did you mean 'Rendered'?" in wrong.err) == (exits.Code.USAGE, True)
    reverse = await terminal.run("timeline", "--since", "now", "--until", rendered["event_id"])
    assert (reverse.code, "nothing can lie between" in reverse.err) == (exits.Code.USAGE, True)


async def test_a_sync_is_waited_for_until_it_is_over_or_the_time_is(terminal: Terminal) -> None:
    """5 when the time is over, 1 with the failure's own words, 0 when it came true."""
    await drifted(terminal.process)
    late = await terminal.run("app", "sync", "shop", "--wait", "synced", "--timeout", "300ms")
    assert late.code == exits.Code.TIMED_OUT
    assert "shop is not synced after 300ms: it is drifted and unknown" in late.err
    waiting = asyncio.create_task(terminal.run("app", "sync", "shop", "--wait", "synced", "--reason", "now"))
    await finished(terminal.process, apply_pb2.SYNC_OUTCOME_FAILED)
    failed = await waiting
    assert failed.code == exits.Code.FAILED
    assert "the port is too high" in failed.err
    broken = apply_pb2.RenderFailed(application=some.application(), revision=some.revision("b" * 40))
    broken.failure.message = "this is no YAML"
    await terminal.process.say("reconcile", broken)  # of the newest commit, and no matter of the one asked for
    waiting = asyncio.create_task(terminal.run("app", "sync", "shop", "--wait", "synced"))
    await finished(terminal.process, apply_pb2.SYNC_OUTCOME_SUCCEEDED)
    done = await waiting
    assert (done.code, "this is no YAML" in done.err) == (0, False)
    assert "Note: 1 object was skipped: nothing at all is left" in done.err


async def finished(process: Process, outcome: "apply_pb2.SyncOutcome") -> None:
    """Play reconcile: carry the next request out that is not carried out yet."""
    asked = ""
    async with asyncio.timeout(60):
        while not asked:
            requests = (await process.get("/timeline", kind="SyncRequested")).json()["items"]
            done = (await process.get("/timeline", kind="SyncFinished")).json()["items"]
            # The first request is the one that nobody answers.
            asked = requests[0]["event_id"] if len(requests) > len(done) + 1 else ""
            await asyncio.sleep(0.05)
    about = {"application": some.application(), "sync_id": asked, "revision": some.revision()}
    result = apply_pb2.SyncFinished(**about, outcome=outcome)  # type: ignore[arg-type]
    if outcome == apply_pb2.SYNC_OUTCOME_FAILED:
        result.failure.message, result.failure.hint = "the port is too high", "use one below 65536"
    skipped = apply_pb2.ObjectApplied(
        application=some.application(), sync_id=asked, outcome=apply_pb2.OBJECT_OUTCOME_SKIPPED
    )
    skipped.failure.message = "nothing at all is left"
    await process.say("reconcile", apply_pb2.SyncStarted(**about, cause=asked), skipped, result)  # type: ignore[arg-type]


async def test_status_says_that_the_record_is_up_to_date(terminal: Terminal) -> None:
    """Rungs, and each service's last word."""
    await drifted(terminal.process)
    await audit_process.published(terminal.process)
    found = await terminal.run("status", "-o", "json")
    rungs = dict.fromkeys(("sequenced", "projected", "published"), 0)
    assert {one["name"]: one["behind"] for one in found.json["rungs"]} == rungs  # type: ignore[index]
    assert "reconcile" in (await terminal.run("status")).out


async def test_the_public_key_of_the_log_is_told(terminal: Terminal) -> None:
    """What an auditor needs, from the server."""
    assert (await terminal.run("ledger", "vkey")).out.strip() == str(audit_process.LOG)


async def test_a_log_is_taken_home_and_verified(terminal: Terminal, tmp_path: Path) -> None:
    """Exported, verified without any setting, gone on with, verified at its URL; a changed copy is refused."""
    await drifted(terminal.process)
    await audit_process.published(terminal.process)
    home, key = str(tmp_path / "home"), str(audit_process.LOG)
    exported = await terminal.run("ledger", "export", home)
    assert (exported.code, exported.out) == (exits.Code.DONE, "")
    alone = await terminal.run("verify", home, "--vkey", key, "-o", "json", DECKLOG_SERVER="", DECKLOG_TOKEN_FILE="")
    assert (alone.code, alone.err) == (exits.Code.DONE, "")
    await terminal.process.say("reconcile", some.rendered())
    await audit_process.published(terminal.process)
    again = await terminal.run("ledger", "export", home)
    assert again.code == exits.Code.DONE
    here = await terminal.run("verify", home, "--vkey", key, "-o", "json")
    there = await terminal.run("verify", terminal.process.address, "--vkey", key, "-o", "json")
    assert here.json == there.json
    assert here.json["size"] > alone.json["size"]  # type: ignore[index]
    (tmp_path / "home" / "checkpoint").write_text("altered\n")
    changed = await terminal.run("verify", home, "--vkey", key)
    assert changed.code == exits.Code.FAILED


async def test_an_event_is_proved_by_a_file(terminal: Terminal, tmp_path: Path) -> None:
    """Made for an event, checked with nothing but the key; the receipt in it is the event's."""
    event = await terminal.process.say("reconcile", some.rendered())
    await terminal.process.get("/applications", after=event)
    await audit_process.published(terminal.process)
    file = str(tmp_path / "event.tlog-proof")
    made = await terminal.run("prove", event, "-o", file)
    assert (made.code, made.out) == (exits.Code.DONE, "")
    alone = {"DECKLOG_SERVER": "", "DECKLOG_TOKEN_FILE": ""}
    checked = await terminal.run("verify", file, "--vkey", str(audit_process.LOG), "-o", "json", **alone)
    assert checked.code == exits.Code.DONE
    assert checked.json["receipt"]["ce"]["id"] == event  # type: ignore[index]


async def test_the_token_goes_to_the_server_of_the_settings_alone(terminal: Terminal) -> None:
    """Another address of the same machine gets none, so a log behind a token is not read there; none is exit code 4."""
    elsewhere = terminal.process.address.replace("127.0.0.1", "localhost")
    refused = await terminal.run("verify", elsewhere, "--vkey", str(audit_process.LOG))
    assert (refused.code, refused.out) == (exits.Code.REFUSED, "")
    assert "DECKLOG_SERVER" in refused.err
    nobody = await terminal.run("verify", "http://127.0.0.1:1", "--vkey", str(audit_process.LOG))
    assert nobody.code == exits.Code.UNAVAILABLE


@pytest.mark.parametrize("arguments", [["timeline"], ["app", "list"], ["state", "--cluster", "dev", "-o", "yaml"]])
async def test_a_reader_that_leaves_early_ends_the_command_quietly(terminal: Terminal, arguments: list[str]) -> None:
    """As in `decklog … | head -0`: 141, and nothing on standard error."""
    started = await terminal.start(*arguments)
    assert started.stdout is not None
    assert started.stderr is not None
    started.stdout._transport.close()  # type: ignore[attr-defined]  # asyncio offers no public way to stop reading
    async with asyncio.timeout(60):
        assert await started.wait() == exits.Code.CLOSED
        assert await started.stderr.read() == b""
