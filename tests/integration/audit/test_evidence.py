"""`decklog evidence` end to end: asked for with the shipped command, checked by the programs that VERIFY.md names."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from opentelemetry import trace

from decklog.cli import exits
from decklog.events.v1 import drift_pb2
from decklog.model.tlog import keys
from tests import audit_leaves as some
from tests import audit_process, time_authority, witnesses
from tests.audit_process import Process

pytestmark = pytest.mark.timeout(600)
"""The first run on a machine compiles the parts of Go that the program of the bundle uses."""

VKEY = str(audit_process.LOG)


@pytest.fixture
async def process(database: str, tmp_path: Path) -> AsyncIterator[Process]:
    async with audit_process.running(database, tmp_path) as running:
        yield running


async def decklog(process: Process, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and error of the shipped command on the running server."""
    settings = {"DECKLOG_SERVER": process.address, "DECKLOG_TOKEN_FILE": str(process.folder / "token")}
    program = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("decklog")),
        *arguments,
        env={"PATH": os.environ["PATH"], "COLUMNS": "80", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await program.communicate()
    assert program.returncode is not None
    return program.returncode, output.decode(), errors.decode()


async def shop(process: Process) -> str:
    """An application with drift, beside another one, told within a trace; the id of the drift."""
    with trace.use_span(trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=True))):
        await process.say("ingest", some.declared(), key="application/shop")
        last = await process.say(
            "reconcile", some.rendered(("settings", "j1:a")), some.changed(5), some.drift(drift_pb2.DRIFT_PHASE_OPENED)
        )
    await process.say("reconcile", some.changed(7), key="dev/other")
    await process.get("/timeline", after=last)
    await audit_process.published(process)
    return last


def shell(folder: Path, *commands: str, vkey: str = VKEY) -> subprocess.CompletedProcess[str]:
    """Commands as somebody who reads VERIFY.md types them."""
    environment = os.environ | {
        "VKEY": vkey,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
    }
    script = "\n".join(["set -e", *commands])
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def commands(folder: Path) -> list[str]:
    """The commands of VERIFY.md, one block each; without those that set the key or are ours."""
    blocks = re.findall(r"(?:^    .*\n)+", (folder / "VERIFY.md").read_text(), re.MULTILINE)
    texts = [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in blocks]
    return [text for text in texts if not text.startswith(("VKEY=", "decklog "))]


def left_behind(folder: Path) -> list[Path]:
    return list(folder.glob("*x.zip*"))


def unpacked(file: Path, folder: Path) -> Path:
    with zipfile.ZipFile(file) as opened:
        opened.extractall(folder)
    return folder


async def test_evidence_of_an_application_is_checked_by_other_peoples_programs(
    process: Process, tmp_path: Path
) -> None:
    """sha256sum, OpenSSL, golang.org/x/mod/sumdb and tlog-scales, with the very commands of VERIFY.md."""
    if shutil.which("go") is None:
        pytest.skip("no Go on PATH")
    await shop(process)
    file = tmp_path / "shop.zip"
    code, _, said = await decklog(process, "evidence", "--app", "shop", "-o", str(file), "--reason", "audit 2026")
    words = f"4 leaves are in {file}; check it with: decklog verify {file} --vkey KEY"
    assert (code, " ".join(said.split())) == (0, words)
    assert file.stat().st_mode & 0o077 == 0
    code, output, _ = await decklog(process, "verify", str(file), "--vkey", VKEY)
    print(output)
    assert code == exits.Code.DONE
    folder = unpacked(file, tmp_path / "unpacked")
    print((folder / "VERIFY.md").read_text())
    found = commands(folder)
    assert len(found) == 7
    for command in found:
        done = await asyncio.to_thread(shell, folder, command)
        print(command, done.stdout, done.stderr)
        assert done.returncode == 0, done.stderr
        assert "not what was committed to" not in done.stdout
    kept = json.loads(next((folder / "leaves").glob("*/headers.json")).read_text())
    assert ("traceparent", "record") in [(one["name"], one["from"]) for one in kept]
    listed = done.stdout.split()
    assert (
        sorted(listed[: len(listed) // 2])
        == sorted(listed[len(listed) // 2 :])
        == sorted(path.name for path in (folder / "leaves").iterdir())
    )
    (told,) = (await process.get("/timeline", kind="TrailExported")).json()["items"] or [None]
    assert told["summary"].startswith("Evidence of 4 leaves exported, application shop from the beginning to the end")


def flip(path: Path) -> None:
    """Change a bit; of a proof one of its hashes, since who has the receipt does not look at its copy there; of headers
    one of the last, which the receipt does not have.
    """
    data = bytearray(path.read_bytes())
    at = len(data) // 2
    if path.suffix == ".tlog-proof":
        at = data.find(b"\nindex ") + len("index 0\n") + 8
    elif path.name == "headers.json":
        at = data.rfind(b'"value": "') + len('"value": "00-')
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("leaves/{}/value.bin", 0),
        ("checkpoint", 1),
        ("leaves/{}/receipt.json", 2),
        ("leaves/{}/proof.tlog-proof", 2),
        ("leaves/{}/receipt.json", 3),
        ("leaves/{}/proof.tlog-proof", 3),
        ("leaves/{}/value.bin", 4),
        ("leaves/{}/salt.bin", 4),
        ("leaves/{}/headers.json", 5),
        ("log/tile/entries/000.p/{width}", 6),
        ("log/tile/0/000.p/{width}", 6),
    ],
)
async def test_other_peoples_programs_refuse_what_was_changed(
    process: Process, tmp_path: Path, path: str, command: int
) -> None:
    """Each command of VERIFY.md can fail: one bit of what it checks is enough."""
    if shutil.which("go") is None:
        pytest.skip("no Go on PATH")
    event = await shop(process)
    file = tmp_path / "shop.zip"
    await decklog(process, "evidence", "--app", "shop", "-o", str(file))
    folder = unpacked(file, tmp_path / "unpacked")
    leaf = (await process.get(f"/events/{event}")).json()["leaf"]
    width = json.loads((folder / "MANIFEST.json").read_text())["size"]
    flip(folder / path.format(f"{leaf:012d}", width=width))
    done = await asyncio.to_thread(shell, folder, commands(folder)[command])
    assert done.returncode != 0 or "not what was committed to" in done.stdout, done.stdout


async def test_evidence_of_events_is_the_same_under_the_same_checkpoint(process: Process, tmp_path: Path) -> None:
    """Named by id, its beginning, or leaf; asked for again, the log has grown by the record of the first time."""
    event = await shop(process)
    one, other, newer = (tmp_path / f"{name}.zip" for name in ("one", "other", "newer"))
    await decklog(process, "evidence", "--event", event, "--event", "0", "-o", str(one))
    with zipfile.ZipFile(one) as opened:
        (tmp_path / "kept").write_bytes(opened.read("checkpoint"))
    await audit_process.published(process)
    again = ["evidence", "--event", "0", "--event", event[:30], "--checkpoint", str(tmp_path / "kept")]
    await decklog(process, *again, "-o", str(other))
    assert one.read_bytes() == other.read_bytes()
    await decklog(process, "evidence", "--event", event, "-o", str(newer))
    code, output, _ = await decklog(process, "verify", str(newer), "--vkey", VKEY, "-o", "json")
    said = json.loads(output)
    assert (code, said["verified"], said["leaves"], said["payloads"]) == (0, True, 1, 1)


async def test_evidence_says_when_it_was(database: str, tmp_path: Path) -> None:
    """A time stamp of a smaller tree, and that this tree goes on from it, both checked by others; each can fail."""
    if shutil.which("go") is None:
        pytest.skip("no Go on PATH")
    authority = time_authority.Authority(tmp_path / "tsa")
    with authority.serving() as url:
        settings = {"log_tsa": url, "log_tsa_ca_file": authority.ca, "log_tsa_interval": 1.0}
        async with audit_process.running(database, tmp_path, **settings) as process:
            event = await shop(process)
            covered = await anchored(process, event)
            await process.say("reconcile", some.changed(9), key="dev/other")
            await process.get("/timeline", after=await process.say("reconcile", some.changed(11), key="dev/other"))
            await audit_process.published(process)
            file = tmp_path / "event.zip"
            await decklog(process, "evidence", "--event", event, "-o", str(file))
            code, output, _ = await decklog(process, "verify", str(file), "--vkey", VKEY, "--tsa-ca", str(authority.ca))
            print(output)
            words = " ".join(output.split())
            assert (code, "existed at" in words, "says CN=TSA of the test" in words) == (0, True, True)
            code, output, _ = await decklog(process, "verify", str(file), "--vkey", VKEY, "-o", "json")
            assert (code, json.loads(output)["time_stamp"]["verified"]) == (0, False)
            folder = unpacked(file, tmp_path / "unpacked")
            assert json.loads((folder / "MANIFEST.json").read_text())["time_stamp"]["size"] >= covered
            shutil.copy(authority.ca, folder / "tsa-ca.pem")
            stamped, grown = commands(folder)[-2:]
            for command in (stamped, grown):
                done = await asyncio.to_thread(shell, folder, command)
                assert done.returncode == 0, done.stderr
            flip(folder / "time/checkpoint")
            for command in (stamped, grown):
                assert (await asyncio.to_thread(shell, folder, command)).returncode != 0
            other = time_authority.Authority(tmp_path / "other", "Somebody else")
            code, output, _ = await decklog(
                process, "verify", str(file), "--vkey", VKEY, "--tsa-ca", str(other.ca), "-o", "name"
            )
            assert (code, output.startswith("time/token.tsr: no time stamp to be believed")) == (1, True), output


async def test_evidence_of_a_log_whose_key_is_being_replaced(database: str, tmp_path: Path) -> None:
    """Two keys, ML-DSA-44 and a witness signed its checkpoint: it is checked with either key, and names the witness."""
    if shutil.which("go") is None:
        pytest.skip("no Go on PATH")
    pems = {"log_next_key_file": keys.new_pem(b"n" * 32), "log_mldsa44_key_file": keys.new_mldsa44_pem(b"q" * 32)}
    settings = {name: tmp_path / name for name in (*pems, "log_policy")}
    for name, pem in pems.items():
        settings[name].write_bytes(pem)
        settings[name].chmod(0o600)
    key = witnesses.made(tmp_path / "witness")
    with witnesses.running(tmp_path / "witness", VKEY) as witness:
        settings["log_policy"].write_text(f"log {VKEY}\nwitness one {key} {witness.url}\nquorum one\n")
        async with audit_process.running(database, tmp_path, log_wait=True, **settings) as process:
            await shop(process)
            code, output, said = await decklog(process, "ledger", "rotate", "--reason", "yearly", "-o", "name")
            assert code == 0, said
            file = tmp_path / "shop.zip"
            await decklog(process, "evidence", "--app", "shop", "-o", str(file))
            rule = str(settings["log_policy"])
            code, shown, _ = await decklog(process, "verify", str(file), "--policy", rule)
            assert (code, "1 of 1 cosigned it (one); the quorum 'one' is met" in " ".join(shown.split())) == (0, True)
            await decklog(process, "ledger", "export", str(tmp_path / "copy"))
            code, shown, _ = await decklog(process, "verify", str(tmp_path / "copy"), "--policy", rule)
            assert (code, "(one); the quorum 'one' is met" in " ".join(shown.split())) == (0, True), shown
    folder = unpacked(file, tmp_path / "unpacked")
    new = output.strip()
    assert len((folder / "checkpoint").read_text().split("\n\n")[1].splitlines()) == 4
    for vkey in (VKEY, new):
        for command in commands(folder):
            done = await asyncio.to_thread(shell, folder, command, vkey=vkey)
            assert done.returncode == 0, done.stdout + done.stderr
    stranger = str(keys.from_pem(keys.new_pem(b"x" * 32), audit_process.LOG.name).verifier)
    for command in commands(folder)[1:4]:
        assert (await asyncio.to_thread(shell, folder, command, vkey=stranger)).returncode != 0


async def anchored(process: Process, event: str) -> int:
    """Wait until a time stamp covers an event; how many leaves that needs."""
    leaf = (await process.get(f"/events/{event}")).json()["leaf"]
    async with asyncio.timeout(30):
        while True:
            rungs = (await process.get("/status")).json()["rungs"]
            if next(one["size"] for one in rungs if one["name"] == "anchored") > leaf:
                return int(leaf) + 1
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], exits.Code.USAGE, "evidence is of events or of an application"),
        (["--app", "shop", "--event", "0"], exits.Code.USAGE, "evidence is of events or of an application"),
        (["--event", "0", "--from", "-1h"], exits.Code.USAGE, "--from and --to go with --app"),
        (["--app", "shop", "--from", "-1h", "--to", "-2h"], exits.Code.USAGE, "--from is after --to"),
        (["--app", "shp"], exits.Code.NOT_FOUND, "there is no application 'shp'"),
        (["--event", "999999"], exits.Code.NOT_FOUND, "there is no leaf '999999'"),
    ],
)
async def test_what_cannot_be_is_refused(
    process: Process, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    """With the reason; no file is left behind, and nothing is recorded as taken."""
    await shop(process)
    found, _, said = await decklog(process, "evidence", *arguments, "-o", str(tmp_path / "x.zip"))
    print(said)
    assert (found, words in " ".join(said.split())) == (code, True), said
    assert not left_behind(tmp_path)
    assert (await process.get("/timeline", kind="TrailExported")).json()["items"] == []
