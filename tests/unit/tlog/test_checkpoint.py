"""Checkpoints: third-party vectors, and exactly one text for each."""

import base64

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model import merkle
from decklog.model.tlog import checkpoint, keys, note
from tests import vectors

NO_ROOTS = frozenset(
    f"checkpoint/{name}"
    for name in (
        "marshal-log",
        "marshal-banana",
        "unmarshal-valid-one",
        "unmarshal-valid-with-different-origin",
        "unmarshal-valid-with-trailing-data",
        "unmarshal-valid-with-multiple-trailing-data-lines",
        "unmarshal-valid-with-trailing-newlines",
    )
)
"""Taken by their authors although their root is no SHA-256 hash (and one has empty lines, which the specification
forbids, as the vector says itself): refused here."""

origins = strategies.text("az/.9 +\t\ré—", min_size=1)
checkpoints = strategies.builds(
    checkpoint.Checkpoint,
    origins,
    strategies.integers(1, 2**63 - 1),
    strategies.binary(min_size=32, max_size=32),
    strategies.lists(origins, max_size=2).map(tuple),
)


@pytest.mark.parametrize("vector", vectors.ledger("checkpoint.body.marshal"))
def test_writing(vector):
    """Published checkpoints come out byte for byte."""
    given = vector["input"]
    root = base64.b64decode(given["hash_b64"])
    if vector["id"] in NO_ROOTS:
        with pytest.raises(checkpoint.Malformed, match="root"):
            checkpoint.Checkpoint(given["origin"], given["size"], root)
    else:
        assert checkpoint.Checkpoint(given["origin"], given["size"], root).to_text() == vector["expect"]["body"]


@pytest.mark.parametrize("vector", vectors.ledger("checkpoint.body.unmarshal"))
def test_reading(vector):
    """Each published text is read or refused as its authors say."""
    text = base64.b64decode(vector["input"]["body_b64"]).decode()
    expected = vector["expect"]
    if not expected["valid"] or vector["id"] in NO_ROOTS:
        with pytest.raises(checkpoint.Malformed):
            checkpoint.parse(text)
        return
    found = checkpoint.parse(text)
    assert (found.origin, found.size) == (expected["origin"], expected["size"])
    assert found.root == base64.b64decode(expected["hash_b64"])
    assert "".join(f"{line}\n" for line in found.extensions) == expected.get("rest", "")


@pytest.mark.parametrize("vector", vectors.ledger("checkpoint.open"))
def test_opening(vector):
    """Published signed checkpoints are verified; the deterministic one is signed to the same bytes."""
    given, expected = vector["input"], vector["expect"]
    data = base64.b64decode(given["note_b64"])
    known = [keys.parse(text) for text in given["trusted_vkeys"]]
    found, signed = checkpoint.open_with(data, known, origin=given["origin"])
    assert (found.size, found.root) == (expected["size"], base64.b64decode(expected["root_b64"]))
    assert signed.to_bytes() == data
    with pytest.raises(note.Unverified, match="log"):
        checkpoint.open_with(data, known, origin="another log")
    if "private_seed_hex" in given:
        signer = keys.from_pem(keys.new_pem(bytes.fromhex(given["private_seed_hex"])), known[0].name)
        assert signer.verifier == known[0]
        assert checkpoint.sign(found, [signer]) == data


@hypothesis.given(checkpoints)
def test_a_checkpoint_is_read_as_it_is_written(given):
    """Both ways, whatever the origin, with extension lines."""
    assert checkpoint.parse(given.to_text()) == given


@pytest.mark.parametrize(
    "text",
    [
        "log\n01\n{root}\n",
        "log\n+1\n{root}\n",
        "log\n1 \n{root}\n",
        "log\n٣\n{root}\n",
        "log\n9223372036854775808\n{root}\n",
        "log\n0\n{root}\n",
        "log\n1\n{root}\n\n",
        "log\n1\n{root}\n\nextension\n",
        "log\n1\n{root}",
        "log\n1\n{root}=\n",
        "\n1\n{root}\n",
    ],
)
def test_other_spellings_are_refused(text):
    """There is no second text for a checkpoint."""
    root = base64.b64encode(merkle.leaf_hash(b"")).decode()
    with pytest.raises(checkpoint.Malformed):
        checkpoint.parse(text.format(root=root))


def test_the_empty_tree_has_a_checkpoint():
    """Size 0 with the one root it can have."""
    given = checkpoint.Checkpoint("log", 0, merkle.EMPTY_ROOT)
    assert checkpoint.parse(given.to_text()) == given
