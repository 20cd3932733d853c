"""`decklog ledger keygen` and `vkey`: the key is private from its first moment and never overwritten."""

import stat
import subprocess

import pytest

from decklog.cli import exits, main
from decklog.model.tlog import keys


def test_a_key_is_made_private_and_gives_its_public_key(tmp_path, capsys):
    """Mode 0600; the verifier key is that of the file, under the given name; nothing secret is printed."""
    file = tmp_path / "key.pem"
    assert main.run(["ledger", "keygen", str(file)]) == exits.Code.DONE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    said = capsys.readouterr()
    assert said.out == ""
    assert file.read_text().split("\n")[1] not in said.err
    assert main.run(["ledger", "vkey", "--key", str(file), "--origin", "log.example/1"]) == exits.Code.DONE
    assert capsys.readouterr().out.strip() == str(keys.from_pem(file.read_bytes(), "log.example/1").verifier)


def test_a_key_for_the_second_signature(tmp_path, capsys):
    """ML-DSA-44, private too; its public key says of which kind it is, and which setting takes it is said."""
    file = tmp_path / "second.pem"
    assert main.run(["ledger", "keygen", "--algorithm", "ml-dsa-44", str(file)]) == exits.Code.DONE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "DECKLOG_LOG_MLDSA44_KEY_FILE" in capsys.readouterr().err
    assert main.run(["ledger", "vkey", "--key", str(file), "--origin", "log.example/1"]) == exits.Code.DONE
    found = keys.parse(capsys.readouterr().out.strip())
    assert found == keys.cosigner_from_pem(file.read_bytes(), "log.example/1").verifier
    assert found.algorithm is keys.Algorithm.MLDSA44_COSIGNATURE


def test_an_overlap_has_one_end(capsys):
    """Finishing and aborting at once is a mistake of whoever types it; no server is asked."""
    assert main.run(["ledger", "rotate", "--reason", "x", "--finish", "--abort"]) == exits.Code.USAGE
    assert "choose one" in capsys.readouterr().err


def test_two_keys_differ_and_none_is_overwritten(tmp_path, capsys):
    """An existing file stays as it is, with a usage error that says why."""
    files = [tmp_path / name for name in ("a", "b")]
    for file in files:
        assert main.run(["ledger", "keygen", str(file)]) == exits.Code.DONE
    before = [file.read_bytes() for file in files]
    assert before[0] != before[1]
    assert main.run(["ledger", "keygen", str(files[0])]) == exits.Code.USAGE
    assert files[0].read_bytes() == before[0]
    assert "never overwritten" in capsys.readouterr().err


def test_a_key_of_openssl_is_a_key(tmp_path, capsys):
    """What `openssl genpkey` writes is taken, and means the same public key to both."""
    file = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(file)], check=True)
    file.chmod(0o600)
    told = ["openssl", "pkey", "-in", str(file), "-pubout", "-outform", "DER"]
    public = subprocess.run(told, capture_output=True, check=True)
    assert main.run(["ledger", "vkey", "--key", str(file), "--origin", "log.example/1"]) == exits.Code.DONE
    assert keys.parse(capsys.readouterr().out.strip()).public == public.stdout[-32:]


@pytest.mark.parametrize(
    ("mode", "text", "arguments", "code", "told"),
    [
        (0o644, None, ["--origin", "log.example/1"], exits.Code.REFUSED, "chmod 600"),
        (0o600, "junk", ["--origin", "log.example/1"], exits.Code.REFUSED, "keygen"),
        (0o600, None, [], exits.Code.USAGE, "--origin"),
        (0o600, None, ["--origin", "log example"], exits.Code.REFUSED, "name"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, capsys, mode, text, arguments, code, told):
    """Open to others, no key, no name, a name that cannot be one."""
    file = tmp_path / "key.pem"
    file.write_bytes(keys.new_pem(b"k" * 32) if text is None else text.encode())
    file.chmod(mode)
    assert main.run(["ledger", "vkey", "--key", str(file), *arguments]) == code
    assert told in capsys.readouterr().err
