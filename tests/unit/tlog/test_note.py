"""Signed notes: third-party vectors, and what must void a note."""

import base64

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model.tlog import keys, note
from tests import vectors

SIGNER = keys.from_pem(keys.new_pem(b"s" * 32), "log.example/1")
OTHER = keys.from_pem(keys.new_pem(b"o" * 32), "log.example/1")
TEXT = "log.example/1\n7\n"


def named(signatures):
    return [one.name for one in signatures]


def signer(skey):
    """The signing key of golang.org/x/mod's text: PRIVATE+KEY+NAME+ID+BASE64(type ‖ seed)."""
    _, _, name, _, encoded = skey.split("+", 4)
    return keys.from_pem(keys.new_pem(base64.b64decode(encoded)[1:]), name)


@pytest.mark.parametrize("vector", vectors.ledger("note.sign"))
def test_signing(vector):
    """Published signatures come out bit for bit; a text without its last line end is refused."""
    key = signer(vector["input"]["skey"])
    if "error" in vector["expect"]:
        with pytest.raises(note.Malformed):
            note.sign(vector["input"]["text"], [key])
    else:
        expected = base64.b64decode(vector["expect"]["note_b64"])
        assert note.sign(vector["input"]["text"], [key]).to_bytes() == expected


@pytest.mark.parametrize("vector", vectors.ledger("note.open"))
def test_opening(vector):
    """Each published note is opened, voided or refused as its authors say, with the same keys named."""
    data = base64.b64decode(vector["input"]["note_b64"])
    known = [keys.parse(text) for text in vector["input"]["trusted_vkeys"]]
    expected = vector["expect"]
    if not expected["valid"]:
        refusal = note.Malformed if expected.get("error") == "malformed note" else note.Unverified
        with pytest.raises(refusal):
            note.open_with(note.parse(data), known)
        return
    opened = note.open_with(note.parse(data), known)
    assert named(opened.verified) == expected["verified"]
    assert named(opened.unknown) == expected.get("unverified", named(opened.unknown))
    assert opened.text == expected.get("text", opened.text)


@hypothesis.given(strategies.data())
def test_any_flipped_bit_voids_a_note(data):
    """No note but the signed one is vouched for."""
    signed = note.sign(TEXT, [SIGNER]).to_bytes()
    bit = data.draw(strategies.integers(0, len(signed) * 8 - 1))
    changed = bytearray(signed)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((note.Malformed, note.Unverified)):
        note.open_with(note.parse(bytes(changed)), [SIGNER.verifier])


def test_a_note_is_written_as_it_is_read():
    """Reading and writing are inverse, with any number of signatures."""
    data = note.sign(TEXT, [SIGNER, OTHER]).to_bytes()
    assert note.parse(data).to_bytes() == data


def test_a_bad_signature_of_a_known_key_voids_the_note_though_another_is_good():
    """Whoever changes one of two signatures has changed the note."""
    bad = note.sign("something else\n", [OTHER]).signatures
    good = note.sign(TEXT, [SIGNER]).signatures
    both = note.Note(TEXT, (*good, *bad))
    with pytest.raises(note.Unverified, match="wrong"):
        note.open_with(both, [SIGNER.verifier, OTHER.verifier])
    assert note.open_with(both, [SIGNER.verifier]).unknown == bad


def test_two_differing_signatures_of_one_key_must_both_be_good():
    """A second line of a known key is checked too (Go's library looks at the first only)."""
    good, bad = (note.sign(text, [SIGNER]).signatures for text in (TEXT, "something else\n"))
    with pytest.raises(note.Unverified, match="wrong"):
        note.open_with(note.Note(TEXT, (*good, *bad)), [SIGNER.verifier])


def test_a_cosigning_key_vouches_for_no_note():
    """The same public key under its other type makes signatures over something else."""
    verifier = keys.VerifierKey("log.example/1", keys.Algorithm.ED25519_COSIGNATURE, SIGNER.verifier.public)
    line = note.Signature(verifier.name, verifier.id, SIGNER.sign(TEXT.encode()))
    with pytest.raises(note.Unverified, match="cosignatures"):
        note.open_with(note.Note(TEXT, (line,)), [verifier])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("log.example+00000000+AQ==", "bytes"),
        ("log.example", "not a verifier key"),
        ("log.example+0000000g+AQ==", "not a verifier key"),
        ("log.example+00000000+!", "base64"),
        ("log.example+00000000+", "type"),
        ("log.example+00000000+/w==", "type"),
        (str(SIGNER.verifier).replace("log.example/1+", "log.example/2+"), "id"),
        (str(SIGNER.verifier).replace("log.example/1+", "log example/1+"), "name"),
        (str(SIGNER.verifier).replace("log.example/1+", "+"), "name"),
    ],
)
def test_what_is_no_verifier_key_is_named(text, problem):
    """A key that cannot be read says why, and is never taken for another one."""
    with pytest.raises(keys.Malformed, match=problem):
        keys.parse(text)


def test_a_verifier_key_is_read_as_it_is_written():
    """All three types, both ways."""
    for algorithm, length in keys.PUBLIC_BYTES.items():
        key = keys.VerifierKey("witness.example", algorithm, b"k" * length)
        assert keys.parse(str(key)) == key


def test_a_signing_key_shows_nothing():
    """Neither repr nor an error message holds key material."""
    pem = keys.new_pem(b"s" * 32)
    secret = pem.decode().split("\n")[1]
    assert "secret" not in repr(SIGNER).lower()
    with pytest.raises(keys.Malformed) as refused:
        keys.from_pem(pem[:-40], "log.example/1")
    assert secret not in str(refused.value)
    with pytest.raises(keys.Malformed, match="name"):
        keys.from_pem(pem, "log example")
