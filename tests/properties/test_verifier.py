"""Whatever is done to the files of a log: the verifier finds it, and never fails itself."""

import shutil

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model.tlog import policy
from decklog.verifier import log, source
from tests import log_files

ENTRIES = log_files.receipts(300)
TRUSTED = policy.of_keys([log_files.SIGNER.verifier])


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    log_files.write(folder, ENTRIES)
    return folder


@hypothesis.given(data=strategies.data())
def test_any_change_of_any_file_is_found(original, tmp_path_factory, data):
    """Bytes changed, taken out, put in, or the file gone; only what nothing depends on may pass."""
    files = sorted(str(file.relative_to(original)) for file in original.rglob("*") if file.is_file())
    path = data.draw(strategies.sampled_from(files))
    before = (original / path).read_bytes()
    first = data.draw(strategies.integers(0, len(before)))
    end = data.draw(strategies.integers(first, min(len(before), first + 40)))
    after = before[:first] + data.draw(strategies.binary(max_size=40)) + before[end:]
    hypothesis.assume(after != before)
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(original, folder, dirs_exist_ok=True)
    (folder / path).write_bytes(after)
    verdict = log.verify(source.Folder(folder), TRUSTED, log.Wanted())
    shutil.rmtree(folder)
    # A line of the earlier checkpoints may be cut off at the end, or spelled otherwise as JSON: nothing depends on it.
    assert verdict.findings or path == source.CHECKPOINTS
