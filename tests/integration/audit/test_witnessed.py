"""The rung *witnessed* on a real Postgres, with witnesses as processes: ours, and litewitness of other people."""

import asyncio
import base64
import contextlib
import gzip
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from decklog.model import errors, merkle
from decklog.model.tlog import cosignature, keys, note, policy
from decklog.runtime import names
from decklog.verifier import log as verifier
from decklog.verifier import source
from decklog.witness import keeping
from services.audit.admin import audit_db, vouched
from services.audit.publisher import folder, publisher, ring, witnessed
from services.audit.publisher import witnesses as circle
from tests import audit_leaves as some
from tests import audit_ledger, ports, trickling, witnesses
from tests import stack as stacks
from tests.published_log import BOTH, NEXT, NEXT_PEM, PEM, SIGNER, Log, running, until
from tests.third_party import verifiers

pytestmark = pytest.mark.timeout(600)
LOG = str(SIGNER.verifier)


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Whoever answers is waited for, however slow the machine is: the bounds are for those who do not."""
    monkeypatch.setattr(witnessed, "START_SECONDS", 60.0)
    monkeypatch.setattr(witnessed, "PATIENCE_SECONDS", 60.0)


@pytest.fixture
def log(database, tmp_path):
    return Log(database, tmp_path / "log")


@pytest.fixture
def ours(tmp_path):
    """One witness: its key, and what starts it. It runs where the test wants it to."""
    key = witnesses.made(tmp_path / "ours", "ours.example/1")
    return key, lambda: witnesses.running(tmp_path / "ours", LOG)


def rule(tmp_path: Path, *lines: str, wait: bool = True) -> witnessed.Rule:
    """The rule of a policy file with these lines."""
    file = tmp_path / "policy"
    file.write_text("".join(f"{line}\n" for line in lines))
    return witnessed.read(file, wait=wait)


async def cosigned(log: Log, given: witnessed.Rule, size: int) -> None:
    """Wait until the served checkpoint of that size has the quorum."""

    def holds() -> bool:
        with contextlib.suppress(FileNotFoundError, policy.NoQuorum):
            trusted = policy.Policy(
                (SIGNER.verifier,), given.policy.witnesses, given.policy.groups, given.policy.quorum
            )
            return trusted.open((log.path / folder.CHECKPOINT).read_bytes()).size == size
        return False

    await until(holds, seconds=60)


async def test_nothing_is_served_before_the_quorum_and_everything_after_it(log, ours, tmp_path):
    """The witness is away, the log grows: held back, in words. It comes: served, with its line. A restart goes on."""
    key, start = ours
    await log.grow(5)
    with ports.held() as nobody:
        given = rule(tmp_path, f"witness w {key} http://127.0.0.1:{nobody}", "quorum w")
        async with running(log.publisher(rule=given)):
            await until(lambda: "held back" in log.readiness.reasons.get("witnesses", ""))
            away = f"w: it cannot be reached at http://127.0.0.1:{nobody}: "
            await until(lambda: away in log.readiness.reasons.get("witnesses", ""))
            await log.grow(300)
            assert not (log.path / folder.CHECKPOINT).exists()
    assert [one.size for one in await log.stored()] == [5]
    with start() as second:
        given = rule(tmp_path, f"witness w {key} {second.url}", "quorum w")
        async with running(log.publisher(rule=given)):
            await cosigned(log, given, 305)
            assert "witnesses" not in log.readiness.reasons
            await log.grow(10)
            await cosigned(log, given, 315)
        assert "422" not in second.stop()
    rows = await log.execute("SELECT size, cosigner FROM ledger.cosignature ORDER BY size")
    assert {5, 305, 315} <= {row["size"] for row in rows}
    assert {row["cosigner"] for row in rows} == {key.label}


async def test_without_waiting_the_log_goes_on_and_says_that_nobody_vouches(log, ours, tmp_path):
    """Served without a cosignature while the witness is away, with one as soon as it is there."""
    key, _ = ours
    await log.grow(5)
    with ports.held() as port:
        given = rule(tmp_path, f"witness w {key} http://127.0.0.1:{port}", "quorum w", wait=False)
        async with running(log.publisher(rule=given)):
            await until(lambda: (log.path / folder.CHECKPOINT).exists())
            assert log.served().size == 5
            await until(lambda: "served without" in log.readiness.troubles.get("witnesses", ""))
            argv = [*witnesses.COMMAND, str(tmp_path / "ours"), "--log", LOG, "--listen", f"127.0.0.1:{port}"]
            with witnesses.running(tmp_path / "ours", argv=argv):
                await cosigned(log, given, 5)


async def test_a_witness_that_has_seen_another_history_stops_the_log(log, ours, tmp_path, stack, migrated_template):
    """Forked with the real key, and cut: the witness refuses, it is told in words, nothing more is signed or served."""
    key, start = ours
    with start() as witness:
        given = rule(tmp_path, f"witness w {key} {witness.url}", "quorum w")
        await log.grow(300)
        async with running(log.publisher(rule=given)):
            await cosigned(log, given, 300)
        for count, told in ((300, "has seen another history"), (400, "has seen another history"), (3, "restored")):
            uri = await stacks.create_database(stack, migrated_template)
            other = Log(uri, tmp_path / f"other {count}")
            await audit_ledger.append(uri, [some.leaf(number, some.changed(number + 9)) for number in range(count)])
            async with running(other.publisher(rule=given)) as task:
                await until(lambda other=other: "witness" in other.readiness.reasons.get("publisher", ""))
                assert told in other.readiness.reasons["publisher"]
                assert not (other.path / folder.CHECKPOINT).exists()
                assert not task.done()
            refused = other.publisher(rule=given)
            other.readiness.waiting(witnessed.PART, "starting")
            assert not await refused.may_go_on(asyncio.Event())
            assert other.readiness.reasons[witnessed.PART] == publisher.HALTED  # it waits for nothing that could come
            assert "must not go on" in other.readiness.reasons["sequencer"]
            await stacks.drop_database(stack, uri)


@pytest.mark.parametrize(("status", "body"), [(409, b"999999\n"), (422, b"another tree\n")])
@pytest.mark.parametrize("shows", ["nothing", "its own invention", "what this log signed before"])
async def test_an_answer_that_nobody_signed_stops_nothing(log, ours, tmp_path, status, body, shows):
    """One witness beside the quorum speaks of another history and proves it by nothing that this log has signed.

    It counts as not cosigning, in words and as a metric; the log starts, is sequenced, signed and served.
    """
    key, start = ours
    await log.grow(5)
    await log.publish()
    stranger = witnesses.History(keys.from_pem(keys.new_pem(b"s" * 32), SIGNER.name), [b"1"] * 9)
    shown = {
        "nothing": None,
        "its own invention": note.sign(stranger.tree(9).to_text(), [stranger.signer]).to_bytes(),
        "what this log signed before": (log.path / folder.CHECKPOINT).read_bytes(),
    }[shows]
    other = witnesses.made(tmp_path / "other", "liar.example/1", seed=b"o")
    with start() as honest, witnesses.liar(status, body, shown=shown) as url:
        given = rule(tmp_path, f"witness liar {other} {url}", f"witness w {key} {honest.url}", "quorum w")
        assert await log.publisher(rule=given).may_go_on(asyncio.Event())
        async with running(log.publisher(rule=given)):
            await log.grow(300)
            await cosigned(log, given, 305)
            await until(lambda: "liar: it " in log.readiness.troubles.get(witnessed.CLAIMS, ""))
            await until(lambda: "publisher" not in log.readiness.reasons)
            assert REGISTRY.get_sample_value(names.METRIC_CONTRADICTS, {"witness": "liar"}) == 1


@pytest.mark.parametrize("rotated", ["overlap", "finished", "one file twice"])
async def test_what_a_witness_proves_is_believed_after_a_rotation_too(log, ours, tmp_path, rotated):
    """The keys that the settings name are those that the leaves name: each is one key, not two of one name."""
    key, start = ours
    files, signers = ring.Files(current=PEM, following=NEXT_PEM), BOTH
    await log.grow(3)
    if rotated != "one file twice":
        await log.rotate(NEXT, beside=SIGNER)
    if rotated == "finished":
        await log.rotate(NEXT)
    if rotated == "one file twice":
        files = ring.Files(current=PEM, following=PEM)
    await log.publish(signers=signers)
    signed_by = NEXT if rotated == "finished" else SIGNER
    ahead = witnesses.History(signed_by, [b"%d" % number for number in range(9)]).tree(9)
    other = witnesses.made(tmp_path / "other", "w2.example/1", seed=b"o")
    shown = note.sign(ahead.to_text(), [signed_by]).to_bytes()
    with start() as honest, witnesses.liar(409, b"9\n", shown=shown) as url:
        given = rule(tmp_path, f"witness other {other} {url}", f"witness w {key} {honest.url}", "quorum w")
        assert not await log.publisher(rule=given, files=files).may_go_on(asyncio.Event())


async def test_a_proof_is_waited_for_though_the_quorum_has_cosigned_already(log, ours, tmp_path):
    """The quorum answers first, and whoever has seen more comes later: the log does not start."""
    key, start = ours
    await log.grow(3)
    await log.publish()
    ahead = witnesses.History(SIGNER, [b"%d" % number for number in range(9)]).tree(9)
    shown = note.sign(ahead.to_text(), [SIGNER]).to_bytes()
    other = witnesses.made(tmp_path / "other", "w2.example/1", seed=b"o")
    with contextlib.ExitStack() as opened:
        honest = opened.enter_context(start())
        late = witnesses.liar(409, b"9\n", shown=shown, after=lambda: witnesses.wait_for(honest, SIGNER.name))
        url = opened.enter_context(late)
        given = rule(tmp_path, f"witness other {other} {url}", f"witness w {key} {honest.url}", "quorum w")
        assert not await log.publisher(rule=given).may_go_on(asyncio.Event())


async def test_one_witness_beside_the_quorum_stops_a_log_that_was_set_back(log, ours, tmp_path):
    """Database and folder are older than what it cosigned: it shows the checkpoint that this log has signed itself."""
    key, start = ours
    history = witnesses.History(SIGNER, [b"%d" % number for number in range(9)])
    with start() as witness:
        assert witness.add(history.request(0, 9)).status_code == 200
        await log.grow(5)
        await log.publish()
        given = rule(tmp_path, f"witness w {key} {witness.url}", "quorum none")
        assert not await log.publisher(rule=given).may_go_on(asyncio.Event())
        assert "shows a checkpoint of 9 leaves" in log.readiness.reasons["publisher"]


async def test_without_a_quorum_an_answer_that_nobody_signed_is_waited_out(log, ours, tmp_path):
    """The only witness of the quorum speaks of more leaves: nothing is sequenced or signed, and it says whom to ask.

    It was somebody in between: once the witness itself answers, all goes on.
    """
    key, _ = ours
    await log.grow(5)
    await log.publish()
    stop = asyncio.Event()
    running_one = Log(log.uri, log.path)
    with ports.held() as port:
        with witnesses.liar(409, b"999999\n", port=port) as url:
            given = rule(tmp_path, f"witness w {key} {url}", "quorum w", wait=False)
            asking = asyncio.create_task(log.publisher(rule=given).may_go_on(stop))
            await until(lambda: "cosigned 999999 leaves" in log.readiness.reasons["publisher"])
            assert "take the witness out of the quorum" in log.readiness.reasons["publisher"]
            assert REGISTRY.get_sample_value(names.METRIC_DISPUTED) == 1
            async with running(running_one.publisher(rule=given)):
                await log.grow(5)
                await until(lambda: "cosigned 999999 leaves" in running_one.readiness.reasons.get("publisher", ""))
            assert [one.size for one in await log.stored()] == [5]
            assert not asking.done()
        argv = [*witnesses.COMMAND, str(tmp_path / "ours"), "--log", LOG, "--listen", f"127.0.0.1:{port}"]
        with witnesses.running(tmp_path / "ours", argv=argv):
            assert await asyncio.wait_for(asking, 60)
            assert REGISTRY.get_sample_value(names.METRIC_DISPUTED) == 0
            async with running(log.publisher(rule=given)):
                await cosigned(log, given, 10)


async def test_a_witness_that_never_makes_up_its_mind_is_asked_with_pauses(log, tmp_path):
    """409 with a size that is never the one of the proof it gets: trouble, in words, not a request after the other."""
    await log.grow(300)
    await log.publish()
    other = witnesses.made(tmp_path / "other", "liar.example/1", seed=b"o")
    with witnesses.liar(409, b"7\n", b"8\n") as url:
        given = rule(tmp_path, f"witness liar {other} {url}", "quorum liar", wait=False)
        async with running(log.publisher(rule=given)):
            await until(lambda: "and now wants" in log.readiness.troubles.get("witnesses", ""))


@pytest.mark.parametrize("wait", [False, True])
async def test_a_stored_line_that_is_no_cosignature_of_the_checkpoint_is_not_served(log, ours, tmp_path, wait):
    """One over a longer text: told in words, and named by audit-db; the witness gives another, which is served.

    Nothing is stored a third time when the witness is asked again, as at every start.
    """
    key, start = ours
    await log.grow(5)
    await log.publish()
    before = note.parse((log.path / folder.CHECKPOINT).read_bytes())
    line = str(cosignature.sign(f"{before.text}\nmore\n", keeping.load(tmp_path / "ours")[0], 5))
    add = "INSERT INTO ledger.cosignature (size, cosigner, line, number) VALUES (5, $1, $2, 0)"
    await log.execute(add, key.label, line)
    with start() as witness:
        given = rule(tmp_path, f"log {LOG}", f"witness w {key} {witness.url}", "quorum w", wait=wait)
        for _ in range(2):
            async with running(log.publisher(rule=given)):
                await cosigned(log, given, 5)
                assert line not in (log.path / folder.CHECKPOINT).read_text()
                await until(lambda: "cosignature of w" in log.readiness.troubles.get(witnessed.STORED, ""))
        told = audit_db.Told(trusted=vouched.Trusted(witnesses={key.label: key}))
        found, *_ = await audit_db._audit(log.uri, 100, told, projections=False)
        (problem,) = [str(one) for one in found if "cosign" in str(one)]
        assert f"the cosignature of {key.label} under 5 leaves is not one of that checkpoint" in problem
        assert len(await log.execute("SELECT FROM ledger.cosignature")) == 2
        async with running(log.publisher(rule=given)):
            await log.grow(5)
            await cosigned(log, given, 10)
            assert witnessed.STORED not in log.readiness.troubles


async def test_what_a_witness_packs_is_not_unpacked(log, tmp_path):
    """Nobody asked for it, and a small answer could fill the memory."""
    await log.grow(5)
    other = witnesses.made(tmp_path / "other", "liar.example/1", seed=b"o")
    with witnesses.liar(409, gzip.compress(b"9999\n"), encoding="gzip") as url:
        given = rule(tmp_path, f"witness liar {other} {url}", "quorum liar", wait=False)
        async with running(log.publisher(rule=given)):
            await until(lambda: "409 without a size" in log.readiness.troubles.get("witnesses", ""))


async def test_a_witness_whose_answer_never_ends_is_told(log, tmp_path, monkeypatch):
    """It is never silent for long: the whole of it is bounded."""
    monkeypatch.setattr(circle, "EXCHANGE_SECONDS", 0.3)
    await log.grow(5)
    other = witnesses.made(tmp_path / "other", "liar.example/1", seed=b"o")
    async with trickling.serving() as url:
        given = rule(tmp_path, f"witness liar {other} {url}", "quorum liar", wait=False)
        async with running(log.publisher(rule=given)):
            await until(lambda: "takes more than" in log.readiness.troubles.get("witnesses", ""))


async def test_a_witness_that_answers_nothing_is_not_waited_for(log, tmp_path, monkeypatch):
    """Neither before the log goes on nor, where no quorum is waited for, before a checkpoint is served."""
    monkeypatch.setattr(circle, "EXCHANGE_SECONDS", 600.0)
    monkeypatch.setattr(witnessed, "START_SECONDS", 0.1)
    monkeypatch.setattr(witnessed, "PATIENCE_SECONDS", 0.1)
    await log.grow(5)
    await log.publish()
    silent = witnesses.made(tmp_path / "other", "silent.example/1", seed=b"o")
    async with trickling.serving() as url:
        given = rule(tmp_path, f"witness silent {silent} {url}", "quorum silent", wait=False)
        assert await log.publisher(rule=given).may_go_on(asyncio.Event())
        async with running(log.publisher(rule=given)):
            await log.grow(5)
            await until(lambda: log.served().size == 10)
            assert "They are asked" in log.readiness.troubles["witnesses"]


def test_a_policy_that_could_never_be_met_is_refused_with_the_line_to_write(tmp_path, ours):
    """No URL, no file, no policy, another log's."""
    key, _ = ours
    with pytest.raises(errors.Terminal, match="witness NAME VKEY URL"):
        rule(tmp_path, f"witness w {key}", "quorum w")
    with pytest.raises(errors.Terminal, match="line 1"):
        rule(tmp_path, "witness")
    with pytest.raises(errors.Terminal, match="No such file"):
        witnessed.read(tmp_path / "nothing", wait=True)
    other = keys.from_pem(keys.new_pem(b"x" * 32), "x.example").verifier
    with pytest.raises(errors.Terminal, match=f"log {SIGNER.verifier}".replace("+", r"\+")):
        witnessed.check_policy(rule(tmp_path, f"log {other}", "quorum none"), [SIGNER.verifier])


@pytest.fixture
def port():
    with ports.held() as held:
        yield held


@pytest.fixture
def litewitness(tmp_path: Path, port: int):
    """The witness of filippo.io/torchwood, with its key in an agent of its own; its key and URL."""
    programs = verifiers.built("witness", verifiers.LITEWITNESS)
    if shutil.which("ssh-agent") is None:
        pytest.skip("no ssh-agent on PATH, which litewitness keeps its key in")
    home = tmp_path / "lite"
    home.mkdir()
    run = lambda *argv: subprocess.run(argv, cwd=home, check=True, capture_output=True, text=True).stdout  # noqa: E731
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", "s"], cwd=home, stdout=subprocess.DEVNULL)
    try:
        while not (home / "s").exists():
            assert agent.poll() is None
        subprocess.run(["ssh-add", "-q", "key"], cwd=home, check=True, env={"SSH_AUTH_SOCK": "s"}, capture_output=True)
        address = f"127.0.0.1:{port}"
        fingerprint = run("ssh-keygen", "-l", "-f", "key.pub").split()[1]
        argv = [f"{programs}/litewitness", "-ssh-agent", "s", "-db", "db", "-name", "lite.example/1"]
        lite = subprocess.Popen(
            [*argv, "-key", fingerprint, "-listen", address], cwd=home, stderr=subprocess.PIPE, text=True
        )
        try:
            said = ""
            while "listening" not in said:
                line = lite.stderr.readline()
                assert line, said
                said += line
            _introduce(home / "db")
            vkey = next(word for word in said.replace('"', " ").split() if word.startswith("vkey=")).removeprefix(
                "vkey="
            )
            yield vkey, f"http://{address}"
        finally:
            lite.kill()
            lite.communicate()
    finally:
        agent.kill()
        agent.wait()


def _introduce(database: Path) -> None:
    """Have litewitness know our log, as witnessctl does, which needs a module more to build."""
    with contextlib.closing(sqlite3.connect(database)) as lite, lite:
        empty = base64.b64encode(merkle.EMPTY_ROOT).decode()
        lite.execute("INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)", (SIGNER.name, empty))
        lite.execute("INSERT INTO key (origin, key) VALUES (?, ?)", (SIGNER.name, LOG))


async def test_witnesses_of_other_people_cosign_our_log(log, ours, litewitness, tmp_path):
    """Theirs and ours, a quorum of both; torchwood verifies what is served, and so do we with the policy file."""
    (key, start), (foreign, url) = ours, litewitness
    with start() as witness:
        lines = (f"witness a {key} {witness.url}", f"witness b {foreign} {url}", "group both all a b", "quorum both")
        given = rule(tmp_path, f"log {LOG}", *lines)
        for size in (3, 700):
            await log.grow(size - log.size)
            async with running(log.publisher(rule=given)):
                await cosigned(log, given, size)
    served = log.path / folder.CHECKPOINT
    vouch = await asyncio.to_thread(verifiers.cosigned, served, LOG, str(key), foreign)
    assert sorted(vouch) == ["lite.example/1", SIGNER.name, "ours.example/1"]
    verdict = verifier.verify(source.Folder(log.path / "public"), given.policy, verifier.Wanted())
    assert (verdict.findings, verdict.leaves) == ([], 700)
    served.write_bytes(b"\n".join(line for line in served.read_bytes().split(b"\n") if b"lite.example" not in line))
    with pytest.raises(verifiers.Refused):
        await asyncio.to_thread(verifiers.cosigned, served, LOG, str(key), foreign)
    verdict = verifier.verify(source.Folder(log.path / "public"), given.policy, verifier.Wanted())
    assert "quorum" in str(verdict.findings[0])


async def test_a_witness_with_the_old_key_follows_through_the_overlap_and_no_further(log, ours, tmp_path):
    """Its operator has until the end of the overlap to give it the new key; after that it does not cosign, in words."""
    key, start = ours
    new = NEXT
    files = ring.Files(current=PEM, following=NEXT_PEM)
    with start() as witness:
        given = rule(tmp_path, f"witness ours {key} {witness.url}", "quorum ours")
        async with running(log.publisher(rule=given, files=files)):
            await log.grow(3)
            await cosigned(log, given, 3)
            await log.rotate(new, beside=SIGNER)
            await cosigned(log, given, 5)
            await log.rotate(new)
            await until(lambda: "does not know the key" in log.readiness.reasons.get(witnessed.PART, ""), seconds=60)
            assert log.served().size == 5
    with witnesses.running(tmp_path / "ours", LOG, str(new.verifier)) as witness:
        given = rule(tmp_path, f"log {new.verifier}", f"witness ours {key} {witness.url}", "quorum ours")
        async with running(log.publisher(rule=given, files=files)):
            path = log.path / folder.CHECKPOINT
            await until(lambda: _is_new(path, new))
    assert given.policy.open((log.path / folder.CHECKPOINT).read_bytes()).size == 7


def _is_new(path: Path, key: keys.SigningKey) -> bool:
    """Whether the new key alone signed what is served."""
    signed = note.parse(path.read_bytes())
    return policy.is_signed(signed, key.verifier) and not policy.is_signed(signed, SIGNER.verifier)
