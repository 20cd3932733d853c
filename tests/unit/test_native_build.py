"""Building what is in C: here, with a word where it is not possible, and never used when the sources are others."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from decklog import native
from decklog.native import build

ROOT = Path(__file__).resolve().parents[2]
TESTS = (
    "tests/properties/test_merkle.py",
    "tests/properties/test_record_headers.py",
    "tests/properties/test_sequencing.py",
    "tests/unit/audit/test_integration.py",
    "tests/unit/audit/test_sequencer.py",
    "tests/unit/audit/test_sequencing.py",
    "tests/unit/audit/test_sequencing_limits.py",
    "tests/unit/test_kafka_batches.py",
)


def python(*argv: str, **changed: str) -> "subprocess.CompletedProcess[str]":
    """In a Python of its own: what it has imported it keeps."""
    environment = os.environ | changed
    return subprocess.run(
        [sys.executable, *argv], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def _tools():
    """What compiling needs."""
    try:
        build.compiler(), build.include()
    except build.Impossible as lacking:
        pytest.skip(str(lacking))


@pytest.mark.slow
@pytest.mark.usefixtures("_tools")
def test_it_is_built_without_a_warning_and_loaded(tmp_path):
    """In the place that was named; a second time nothing is done."""
    path = build.build(tmp_path / native.library().name, "-Werror")
    assert native.load(path).sha256(b"").hex().startswith("e3b0c442")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    before = path.stat()
    assert build.build(path).stat() == before


@pytest.mark.slow
def test_python_passes_the_same_tests_without_it():
    """Switched off in the environment."""
    off = "from decklog import native; import sys; sys.exit(native.kernel is not None)"
    assert python("-c", off, DECKLOG_NATIVE="off").returncode == 0
    quick = ("-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--hypothesis-profile", "quick")
    outcome = python(*quick, *TESTS, DECKLOG_NATIVE="off")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_what_is_missing_is_named_with_what_brings_it(tmp_path, monkeypatch):
    """No compiler, no Python.h, a compiler that refuses, a folder that may not be written."""
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(tmp_path))
        patched.setenv("CC", "cc")
        with pytest.raises(build.Impossible, match="apt install gcc"):
            build.compiler()
    with monkeypatch.context() as patched:
        patched.setattr(build.sysconfig, "get_path", lambda _name: str(tmp_path))
        with pytest.raises(build.Impossible, match="apt install python3-dev"):
            build.include()
    refusing = tmp_path / "refusing"
    refusing.write_text("#!/bin/sh\necho 'no such option' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("CC", str(refusing))
    monkeypatch.setattr(build, "include", lambda: "/")
    with pytest.raises(build.Impossible, match="no such option"):
        build.build(tmp_path / "kernel.so")
    with pytest.raises(build.Impossible, match="let it be built by whoever owns it"):
        build.build(refusing / "kernel.so")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["refusing"]


def test_without_it_there_is_a_word_and_no_failure(tmp_path, monkeypatch, capsys):
    """`make venv` goes on, and says so once; whoever asked for it is told each time, by the exit status, too."""
    monkeypatch.setattr(native, "library", lambda: tmp_path / "compiled" / "kernel-0.so")
    for reason, news in (("a C compiler is missing", True), ("a C compiler is missing", False), ("it refuses", True)):
        monkeypatch.setattr(build, "compiler", lambda why=reason: (_ for _ in ()).throw(build.Impossible(why)))
        monkeypatch.setattr(sys, "argv", ["build", "--if-possible"])
        assert build.main() is None
        assert (f"Python does its work (three times slower): {reason}" in capsys.readouterr().out) == news
        monkeypatch.setattr(sys, "argv", ["build"])
        assert reason in build.main()


def test_only_what_was_built_of_these_sources_is_used_and_kept(tmp_path, monkeypatch):
    """Its name is the digest of the sources; what has another one is removed when these are built."""
    current, old, foreign = (
        tmp_path / name for name in ("kernel-2.cpython-311.so", "kernel-1.cpython-311.so", "other")
    )
    other_python = tmp_path / "kernel-3.cpython-399.so"
    for path in (current, old, foreign, other_python, tmp_path / "told"):
        path.touch()
    for name, age in (("making-old", 7200), ("making-new", 0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    build.forget_others(current)
    kept = ["kernel-2.cpython-311.so", "kernel-3.cpython-399.so", "making-new", "other"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == kept
    before = native.library()
    monkeypatch.setattr(native, "sources", list)
    assert native.library() != before
    assert native.library().parent == before.parent == ROOT / ".compiled"


def test_a_library_that_cannot_be_loaded_is_done_without(tmp_path, monkeypatch):
    """A file that is no library, or lacks one of the system's: Python does the work."""
    broken = tmp_path / "kernel-0.so"
    broken.write_bytes(b"not ELF")
    monkeypatch.setattr(native, "library", lambda: broken)
    assert native._found() is None
    with pytest.raises(ImportError):
        native.load(broken)


def test_a_folder_that_this_user_may_not_read_is_done_without(monkeypatch):
    """It was built by another one who keeps it to himself: nothing of Decklog could be imported before."""

    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(native, "load", refuse)
    assert native._found() is None
