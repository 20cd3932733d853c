"""Proof files: third-party vectors, there and back."""

import base64

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model.tlog import proof_file
from tests import vectors

files = strategies.builds(
    proof_file.ProofFile,
    index=strategies.integers(0, 2**63 - 1),
    hashes=strategies.lists(strategies.binary(min_size=32, max_size=32), max_size=63).map(tuple),
    checkpoint=strategies.text("az09 \n—", min_size=1),
    extra=strategies.none() | strategies.binary(),
)


@pytest.mark.parametrize("vector", vectors.ledger("tlog_proof.marshal"))
def test_writing(vector):
    """Published proof files come out byte for byte, and are read back."""
    given = vector["input"]
    proof = proof_file.ProofFile(
        index=given["index"],
        hashes=tuple(map(base64.b64decode, given["hashes_b64"])),
        checkpoint=given["checkpoint"],
        extra=base64.b64decode(given["extra_b64"]) if "extra_b64" in given else None,
    )
    assert proof.to_text() == vector["expect"]["text"]
    assert proof_file.parse(proof.to_text()) == proof


@pytest.mark.parametrize("vector", vectors.ledger("tlog_proof.unmarshal"))
def test_reading(vector):
    """Each published text that is none is refused (there is no valid one among them)."""
    assert not vector["expect"]["valid"]
    with pytest.raises(proof_file.Malformed):
        proof_file.parse(vector["input"]["text"])


@hypothesis.given(files)
def test_a_file_is_read_as_it_is_written(given):
    """Both ways, with and without hashes and extra data."""
    assert proof_file.parse(given.to_text()) == given


HASH = base64.b64encode(b"h" * 32).decode()


@pytest.mark.parametrize(
    "body",
    [
        "index 00\n\ncheckpoint\n",
        "index 9223372036854775808\n\ncheckpoint\n",
        "index 0\n\n",
        "index 0\n",
        "index 0\nextra AA==\n\ncheckpoint\n",
        f"extra AB==\nindex 0\n{HASH}\n\ncheckpoint\n",
        f"index 0\n{HASH} \n\ncheckpoint\n",
        "index 0\n" + f"{HASH}\n" * 64 + "\ncheckpoint\n",
    ],
)
def test_other_spellings_are_refused(body):
    """Numbers, order, padding and length are as the specification has them."""
    with pytest.raises(proof_file.Malformed):
        proof_file.parse(f"{proof_file.HEADER}\n{body}")
