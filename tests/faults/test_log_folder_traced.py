"""What the log's folder asks of the kernel, in C and in Python: nothing takes its place before it is on disk."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from decklog import native
from services.audit.core import integration
from services.audit.publisher import folder

PATHS = [f"public/tile/0/{number:03}" for number in range(200)]
WRITE = """
import pathlib, sys
from tests.faults import test_log_folder_traced as here
here.write(pathlib.Path(sys.argv[1]))
"""
CALL = re.compile(r"(fsync|rename)\((?:\d+<([^>]*)>|\"([^\"]*)\", \"([^\"]*)\")\)")


def write(path: Path) -> None:
    """Two hundred files, more than are open at a time."""
    log = folder.LogFolder(path)
    with log.held():
        log.write([integration.File(one, one.encode()) for one in PATHS])


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: nobody sees what is asked")
@pytest.mark.parametrize("how", ["on", "off"])
def test_every_file_is_synced_before_any_is_renamed_and_every_folder_afterwards(how, tmp_path):
    """Each file once, in its place afterwards; then the folders, up to the one that was there before."""
    if how == "on" and native.kernel is None:
        pytest.skip("decklog.native is not built here")
    trace, log = tmp_path / "trace", tmp_path / "log"
    strace = ("strace", "-f", "-y", "-e", "trace=fsync,rename", "-o", str(trace))
    environment = os.environ | {native.SETTING: how}
    root = Path(__file__).resolve().parents[2]
    subprocess.run([*strace, sys.executable, "-c", WRITE, str(log)], env=environment, cwd=root, check=True)
    calls = [
        call.groups() for line in trace.read_text().splitlines() if str(log) in line and (call := CALL.search(line))
    ]
    kinds = [name for name, *_ in calls]
    first, last = kinds.index("rename"), len(kinds) - kinds[::-1].index("rename")
    unfinished = sorted(f"{log}/unfinished/{number}" for number in range(200))
    assert sorted(synced for _, synced, _, _ in calls[:first]) == unfinished
    assert [(source, target) for _, _, source, target in calls[first:last]] == [
        (f"{log}/unfinished/{number}", f"{log}/{path}") for number, path in enumerate(PATHS)
    ]
    assert {synced for _, synced, _, _ in calls[last:]} == {
        f"{log}{below}" for below in ("/public/tile/0", "/public/tile", "/public", "")
    }
