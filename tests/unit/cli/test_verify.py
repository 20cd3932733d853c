"""`decklog verify`: exit codes, where the answer goes, and that a folder is verified without network or settings."""

import dataclasses
import json
import socket

import pytest

from decklog.cli import exits, main, progress
from decklog.model import merkle
from decklog.model.tlog import cosignature, keys, note
from decklog.verifier import proving, source
from tests import log_files


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No settings, and no way to the network."""
    for name in ("DECKLOG_SERVER", "DECKLOG_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "socket", None)


@pytest.fixture
def folder(tmp_path):
    log_files.write(tmp_path, log_files.receipts(300))
    return tmp_path


def test_a_clean_log_is_exit_code_0(folder, capsys):
    """The log, its size and its root are told on standard output, nothing on standard error."""
    assert main.run(["verify", str(folder), "--vkey", log_files.VKEY]) == exits.Code.DONE
    said = capsys.readouterr()
    assert "300 signed, 300 looked at" in said.out
    assert "Verified" in said.out
    assert said.err == ""


def test_a_log_without_its_first_leaves_says_how_a_pruned_one_is_verified(folder, capsys):
    """It is damaged all the same: who was not told of pruning cannot know."""
    for path in ("tile/0/000", "tile/entries/000"):
        (folder / path).unlink()
    assert main.run(["verify", str(folder), "--vkey", log_files.VKEY]) == exits.Code.FAILED
    assert "--from LEAF" in " ".join(capsys.readouterr().out.split())
    assert main.run(["verify", str(folder), "--vkey", log_files.VKEY, "--from", "256"]) == exits.Code.DONE


def test_a_changed_log_is_exit_code_1_with_leaf_and_bytes(folder, capsys):
    """A script reads which leaf, which file, which bytes; -o name is one line a finding."""
    path = folder / "tile/entries/000"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    assert main.run(["verify", str(folder), "--vkey", log_files.VKEY, "-o", "json"]) == exits.Code.FAILED
    found = json.loads(capsys.readouterr().out)
    assert (found["verified"], found["complete"]) == (False, True)
    (one,) = found["findings"]
    assert (one["leaf"], one["path"], one["bytes"][0]) == (0, "tile/entries/000", 2)
    assert main.run(["verify", str(folder), "--vkey", log_files.VKEY]) == exits.Code.FAILED
    shown = capsys.readouterr().out
    assert "Not what was signed" in shown
    assert "Verified" not in shown


def test_a_key_that_is_given_twice_is_one_key(folder):
    """That somebody repeats himself is no accusation of the log."""
    assert main.run(["verify", str(folder), *["--vkey", log_files.VKEY] * 2]) == exits.Code.DONE


def test_tiles_beside_the_log_are_told(folder, capsys):
    """Those of an earlier size that are wrong as findings; those of no size that was signed as what they are."""
    log_files.put(folder, "tile/0/777", b"x")
    assert main.run(["verify", str(folder), "--vkey", log_files.VKEY]) == exits.Code.DONE
    assert "tile/0/777: no checkpoint here vouches for it" in capsys.readouterr().out
    log_files.put(folder, "tile/0/001.p/7", b"x" * 7 * 32)
    assert main.run(["verify", str(folder), "--vkey", log_files.VKEY, "-o", "name"]) == exits.Code.FAILED
    assert capsys.readouterr().out.startswith("tile/0/001.p/7: it is not the beginning of tile/0/001.p/44")


def test_a_policy_says_who_is_believed(folder, tmp_path, capsys):
    """A file after c2sp.org/tlog-policy; a wrong line of it is named."""
    rule = tmp_path / "policy"
    rule.write_text(f"log {log_files.VKEY}\nquorum none\n")
    assert main.run(["verify", str(folder), "--policy", str(rule)]) == exits.Code.DONE
    rule.write_text(f"log {log_files.VKEY}\nquorum everybody\n")
    assert main.run(["verify", str(folder), "--policy", str(rule)]) == exits.Code.USAGE
    assert "line 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], exits.Code.USAGE, "ledger vkey"),
        (["--vkey", "nonsense"], exits.Code.USAGE, "not a verifier key"),
        (["--vkey", log_files.VKEY, "--policy", "x"], exits.Code.USAGE, "Leave out --vkey"),
        (["--policy", "/does/not/exist"], exits.Code.USAGE, "cannot be read"),
        (["--vkey", log_files.VKEY, "--most", "0"], exits.Code.USAGE, "--most"),
    ],
)
def test_what_is_asked_wrongly_is_exit_code_2(folder, capsys, arguments, code, told):
    """Without a key that one trusts there is nothing to verify against."""
    assert main.run(["verify", str(folder), *arguments]) == code
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--policy", "--since"])
def test_a_file_without_an_end_is_read_no_further_than_any_of_its_kind(folder, capsys, option):
    """A mistyped name, or somebody who means harm: the file is named, and memory stays as it is."""
    keys = ["--vkey", log_files.VKEY] if option == "--since" else []
    assert main.run(["verify", str(folder), *keys, option, "/dev/zero"]) == exits.Code.USAGE
    assert "is over 1 MiB" in " ".join(capsys.readouterr().err.split())


def test_no_log_is_exit_code_6(tmp_path, capsys):
    """A folder without a checkpoint, or none at all."""
    for where in (tmp_path, tmp_path / "nothing"):
        assert main.run(["verify", str(where), "--vkey", log_files.VKEY]) == exits.Code.NOT_FOUND
        assert "checkpoint" in capsys.readouterr().err


def test_progress_is_one_line():
    """A bar, how many, how fast; also before the first one and without any."""
    assert progress.line("leaves", 500_000, 1_000_000, 2.0) == (
        "[###############...............] 500,000 of 1,000,000 leaves, 250,000/s"
    )
    assert progress.line("leaves", 0, 0, 0.0).endswith("0 of 0 leaves, 0/s")


def test_a_proof_file_is_verified_by_itself(folder, tmp_path, capsys):
    """Exit code 0 with what the receipt says; changed, exit code 1 with the reason."""
    file = tmp_path / "x.tlog-proof"
    file.write_text(proving.inclusion(source.Folder(folder), 7).to_text())
    assert main.run(["verify", str(file), "--vkey", log_files.VKEY]) == exits.Code.DONE
    said = capsys.readouterr().out
    assert "7 of 300" in said
    assert "dev/shop/ConfigMap/7" in said
    file.write_text(file.read_text().replace("index 7", "index 8"))
    assert main.run(["verify", str(file), "--vkey", log_files.VKEY]) == exits.Code.FAILED
    assert "proves nothing" in capsys.readouterr().err
    assert main.run(["verify", str(tmp_path / "no.tlog-proof"), "--vkey", log_files.VKEY]) == exits.Code.USAGE


def test_a_proof_names_the_witnesses_of_its_checkpoint(folder, tmp_path, capsys):
    """Those of the policy that cosigned the tree that it is in, and whether that is the quorum."""
    witness, other = (keys.cosigner_from_pem(keys.new_pem(name * 32), "w.example") for name in (b"w", b"o"))
    made = proving.inclusion(source.Folder(folder), 7)
    line = cosignature.sign(note.parse(made.checkpoint.encode()).text, witness, 1_700_000_000)
    file, policy = tmp_path / "x.tlog-proof", tmp_path / "policy"
    file.write_text(dataclasses.replace(made, checkpoint=f"{made.checkpoint}{line}\n").to_text())
    policy.write_text(
        f"log {log_files.VKEY}\nwitness a {witness.verifier}\nwitness b {other.verifier}\ngroup g 1 a b\nquorum g\n"
    )
    assert main.run(["verify", str(file), "--policy", str(policy)]) == exits.Code.DONE
    assert "1 of 2 cosigned it (a); the quorum 'g' is met" in capsys.readouterr().out


def test_a_kept_checkpoint_is_proved_to_be_the_beginning(folder, tmp_path, capsys):
    """--since reads a handful of tiles; a fork is exit code 1 and says to keep both."""
    hashes = [merkle.leaf_hash(entry) for entry in log_files.receipts(300)]
    kept = tmp_path / "kept"
    kept.write_bytes(log_files.sign(hashes[:100]))
    arguments = ["verify", str(folder), "--vkey", log_files.VKEY, "--since", str(kept)]
    assert main.run(arguments) == exits.Code.DONE
    assert "begin with the 100" in capsys.readouterr().out
    kept.write_bytes(log_files.sign(hashes[1:101]))
    assert main.run(arguments) == exits.Code.FAILED
    assert "Keep both" in capsys.readouterr().err
