"""The core of sequencing when it is compiled: the same answers, and never an old one's."""

import subprocess
import sys
from pathlib import Path

import pytest

from decklog.model import errors
from services.audit import compiled

ROOT = compiled.ROOT
TESTS = (
    "tests/properties/test_merkle.py",
    "tests/properties/test_record_headers.py",
    "tests/properties/test_sequencing.py",
    "tests/properties/test_sequencing_order.py",
    "tests/unit/audit/test_integration.py",
    "tests/unit/audit/test_recent.py",
    "tests/unit/audit/test_sequencer.py",
    "tests/unit/audit/test_sequencing.py",
    "tests/unit/audit/test_sequencing_limits.py",
    "tests/unit/test_envelope.py",
    "tests/unit/test_kafka_batches.py",
)
RUN = """
import pathlib, sys
from services.audit import compiled
assert compiled.use(pathlib.Path(sys.argv[1]))
import pytest
code = pytest.main(["-q", "-p", "no:xdist", "--hypothesis-profile", "quick", *sys.argv[2:]])
took = [module for module in compiled.MODULES if not sys.modules[module].__file__.endswith(".py")]
sys.exit(code or took != list(compiled.MODULES))
"""


def run(*argv: str) -> "subprocess.CompletedProcess[str]":
    """In a Python of its own: what it has imported it keeps."""
    return subprocess.run([sys.executable, "-c", *argv], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_compiled_core_passes_the_tests_of_its_sources(tmp_path: Path) -> None:
    """Compiled here, and found by the digest of the very sources that are under test."""
    try:
        compiled.check_tools()
    except errors.Terminal as lacking:
        pytest.skip(str(lacking))
    made = compiled.make(tmp_path)
    assert made.parent == tmp_path
    assert compiled.make(tmp_path) == made
    outcome = run(RUN, str(tmp_path), *TESTS)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_what_was_made_of_other_sources_is_not_used(tmp_path: Path) -> None:
    """A folder of another digest, or one that is not complete, is passed over, and Python reads the sources."""
    for name in ("0123456789abcdef0123", compiled._digest()):
        (tmp_path / name).mkdir()
    (tmp_path / "0123456789abcdef0123" / "complete").touch()
    assert not compiled.use(tmp_path)


def test_it_is_decided_before_anything_of_it_is_imported(tmp_path: Path) -> None:
    """The two do not go together: half of each would crash."""
    made = tmp_path / compiled._digest()
    made.mkdir()
    (made / "complete").touch()
    late = f"from decklog.model import merkle\nfrom services.audit import compiled\ncompiled.use({tmp_path!r})"
    outcome = run(late.replace("PosixPath", "__import__('pathlib').Path"))
    assert "imported before" in outcome.stderr
    early = "import sys\nfrom services.audit import __main__, compiled\nprint(set(compiled.MODULES) & set(sys.modules))"
    assert run(early).stdout == "set()\n"
