"""Evidence with a hole in its stretch of the log: the Go program in it says so, with the very command of VERIFY.md."""

import io
import os
import re
import shutil
import subprocess
import zipfile

import pytest

from decklog.model import evidence, payload_file, selection
from decklog.verifier import evidence as making
from decklog.verifier import source
from tests import log_files

pytestmark = pytest.mark.timeout(600)
"""The first run on a machine compiles the parts of Go that the program uses."""

BASE = 1_700_000_000_000_000
SIZE, FIRST, END = 900, 300, 600
CHOSEN = selection.Selection(application="shop", since=BASE + FIRST, until=BASE + END - 1)


def said(leaves):
    """What a server says of leaves."""
    for leaf in leaves:
        record = payload_file.encode(*log_files.payload(leaf), log_files.HOP, committed=True)
        (parsed,) = payload_file.records(io.BytesIO(record).read)
        yield making.Said(leaf, None, {}, parsed)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Evidence, unpacked, with its program built."""
    if shutil.which("go") is None:
        pytest.skip("no Go on PATH")
    served, unpacked = tmp_path_factory.mktemp("log"), tmp_path_factory.mktemp("evidence")
    log_files.write(served, log_files.receipts(SIZE))
    log = making.pinned(source.Folder(served), None)
    where = making.stretch(log, CHOSEN)
    assert where == (FIRST, END)
    out = io.BytesIO()
    leaves = making.chosen_leaves(log, CHOSEN, where)
    making.write(out, log, making.Wanted(chosen=CHOSEN, leaves=leaves, stretch=where), said)
    with zipfile.ZipFile(out) as opened:
        opened.extractall(unpacked)
    subprocess.run(["go", "build", "-o", "listed", "."], cwd=unpacked / "tools", env=environment(), check=True)
    return unpacked


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of what belongs to the stretch, to be changed."""
    (tmp_path / "x").mkdir()
    for name in ("log", "tools"):
        shutil.copytree(whole / name, tmp_path / "x" / name)
    for name in ("checkpoint", evidence.VERIFY):
        shutil.copy(whole / name, tmp_path / "x")
    return tmp_path / "x"


def environment():
    return os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def listed(folder):
    """What the program answers to the arguments that VERIFY.md has for the stretch."""
    (arguments,) = re.findall(r'go run \. "\$VKEY" (\.\./log .*)\) >proved', (folder / evidence.VERIFY).read_text())
    command = ["./listed", log_files.VKEY, *arguments.split()]
    return subprocess.run(command, cwd=folder / "tools", capture_output=True, text=True, check=False)


def test_each_leaf_of_the_stretch_and_both_beside_it_are_listed(folder):
    """In order, none twice, no other."""
    done = listed(folder)
    assert done.returncode == 0, done.stderr
    assert [int(line.split()[0]) for line in done.stdout.splitlines()] == list(range(FIRST - 1, END + 1))


@pytest.mark.parametrize("gone", [("001",), ("002",), ("001", "002")])
def test_entries_that_are_missing_are_a_failure(folder, gone):
    """One file of them, the other, or all: nobody takes the rest for the whole."""
    for name in gone:
        (folder / "log/tile/entries" / name).unlink()
    done = listed(folder)
    assert done.returncode == 1
    assert f"the entries from leaf {int(gone[0]) * 256} on are missing" in done.stderr


def test_entries_cut_off_at_either_end_of_a_file_are_a_failure(folder):
    """At the end of a file of 256, or behind it."""
    file = folder / "log/tile/entries/002"
    data = file.read_bytes()
    for changed, expected in ((data[:-700], "the entries end within"), (data + b"x", "there is more behind")):
        file.write_bytes(changed)
        done = listed(folder)
        assert (done.returncode, expected in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("stretch", [[], ["300"], ["600", "300"], ["0", "901"], ["-1", "5"], ["x", "5"]])
def test_a_stretch_that_the_log_does_not_have_is_a_failure(folder, stretch):
    """Nothing is listed unless it is said what is to be there."""
    command = ["./listed", log_files.VKEY, "../log", *stretch]
    done = subprocess.run(command, cwd=folder / "tools", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
