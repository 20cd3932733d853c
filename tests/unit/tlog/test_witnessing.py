"""What a witness answers, one rule of c2sp.org/tlog-witness after the other."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decklog.model import merkle
from decklog.model.tlog import checkpoint, cosignature, keys, note, policy, proofs, witnessing
from tests import trees

ORIGIN = "log.example/1"
LOG = keys.from_pem(keys.new_pem(b"l" * 32), ORIGIN)
OTHER = keys.from_pem(keys.new_pem(b"o" * 32), "other.example")
FORGER = keys.from_pem(keys.new_pem(b"f" * 32), ORIGIN)
QUANTUM = keys.cosigner_from_pem(keys.new_mldsa44_pem(b"q" * 32), ORIGIN)
LOGS = [LOG.verifier, OTHER.verifier]
SIGNERS = [
    keys.cosigner_from_pem(keys.new_pem(b"w" * 32), "witness.example"),
    keys.cosigner_from_pem(keys.new_mldsa44_pem(b"w" * 32), "witness.example"),
]
HASHES = [merkle.leaf_hash(b"%d" % number) for number in range(300)]


def read(wanted):
    return [trees.root_of(HASHES[n.number << n.level : (n.number + 1) << n.level]) for n in wanted]


def tree(size, hashes=HASHES, origin=ORIGIN):
    return checkpoint.Checkpoint(origin, size, trees.root_of(hashes[:size]))


def latest(size):
    return witnessing.Latest(size, tree(size).root, 7)


def signed(size, *signers, origin=ORIGIN):
    return note.sign(tree(size, origin=origin).to_text(), signers or [LOG])


def asked(old, new, **changed):
    """A request as an honest log makes it, through bytes and back."""
    proof = proofs.consistency(old, new, read) if 0 < old <= new else []
    made = witnessing.request(old, proof, signed(new))
    return witnessing.parse(dataclasses.replace(made, **changed).to_bytes())


def refused(call):
    with pytest.raises(witnessing.Refusal) as found:
        call()
    return found.value.status, found.value.text


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_log_that_goes_on_is_cosigned_and_one_that_goes_back_is_not(old, new):
    """From every size to every size, with proofs that go through the wire form."""
    if old <= new:
        assert witnessing.accept(asked(old, new), latest(old)) == tree(new)
    else:
        assert refused(lambda: witnessing.accept(asked(old, new), latest(old)))[0] == 400


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_another_old_size_is_a_conflict_that_tells_the_right_one(old, new, stored):
    if old == stored or old > new:
        return
    with pytest.raises(witnessing.Refusal) as found:
        witnessing.accept(asked(old, new), latest(stored))
    assert (found.value.status, found.value.text, found.value.kind) == (409, f"{stored}\n", "text/x.tlog.size")


@given(st.integers(1, 299), st.data())
def test_a_fork_is_never_cosigned(old, data):
    """With the log's real key: another leaf below the old size, and the best proof that such a log can make."""
    new = data.draw(st.integers(old, 300))
    fork = list(HASHES)
    fork[data.draw(st.integers(0, old - 1))] = merkle.leaf_hash(b"slipped in")
    forged = note.sign(tree(new, fork).to_text(), [LOG])

    def read_fork(wanted):
        return [trees.root_of(fork[n.number << n.level : (n.number + 1) << n.level]) for n in wanted]

    request = witnessing.request(old, proofs.consistency(old, new, read_fork), forged)
    assert refused(lambda: witnessing.accept(witnessing.parse(request.to_bytes()), latest(old)))[0] == 422


def test_what_must_be_refused_with_422():
    """A hash too many, too few, wrong; hashes from no leaves; another root at the same size; a root of no leaves."""
    good = asked(5, 9)
    wrong = [*good.proof[:-1], bytes(32)]
    for proof in ((*good.proof, bytes(32)), good.proof[:-1], tuple(wrong), ()):
        assert refused(lambda proof=proof: witnessing.accept(asked(5, 9, proof=proof), latest(5)))[0] == 422
    assert refused(lambda: witnessing.accept(asked(0, 9, proof=(bytes(32),)), witnessing.Latest()))[0] == 422
    assert refused(lambda: witnessing.accept(asked(9, 9), witnessing.Latest(9, bytes(32), 7)))[0] == 422
    text = tree(0).to_text().replace(tree(0).to_text().split("\n")[2], tree(1).to_text().split("\n")[2])
    empty = witnessing.parse(b"old 0\n\n" + note.sign(text, [LOG]).to_bytes())
    assert witnessing.known_keys(empty, LOGS)
    assert refused(lambda: witnessing.accept(empty, witnessing.Latest()))[0] == 422


BODIES = {
    "nothing": b"",
    "no old size": signed(3).to_bytes(),
    "leading zero": b"old 00\n\n" + signed(3).to_bytes(),
    "a sign": b"old -1\n\n" + signed(3).to_bytes(),
    "over 63 bits": b"old 9223372036854775808\n\n" + signed(3).to_bytes(),
    "two spaces": b"old  0\n\n" + signed(3).to_bytes(),
    "a hash that is not base64": b"old 1\nx\n\n" + signed(3).to_bytes(),
    "64 hashes": b"old 1\n" + b"A" * 43 + b"=\n" * 64 + b"\n" + signed(3).to_bytes(),
    "no checkpoint": b"old 0\n\nhello\n",
    "no signature": b"old 0\n\n" + tree(3).to_text().encode(),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_no_request_is_refused_with_400(body):
    assert refused(lambda: witnessing.parse(body))[0] == 400


def test_a_request_that_is_too_large_is_refused_with_413():
    assert refused(lambda: witnessing.parse(b"x" * (witnessing.MAX_REQUEST_BYTES + 1)))[0] == 413


def test_whose_checkpoint_it_is_decides_between_404_and_403():
    """404 for a log that is not followed; 403 unsigned, signed by another, or with one bad line of a known key."""
    good = signed(3)
    stranger = witnessing.parse(b"old 0\n\n" + signed(3, LOG, origin="who.example").to_bytes())
    assert refused(lambda: witnessing.known_keys(stranger, LOGS))[0] == 404
    bad_line = good.signatures[0]._replace(value=bytes(64))
    for lines in (signed(3, FORGER).signatures, signed(3, OTHER).signatures, (*good.signatures, bad_line)):
        request = witnessing.parse(b"old 0\n\n" + note.Note(good.text, tuple(lines)).to_bytes())
        assert refused(lambda request=request: witnessing.known_keys(request, LOGS))[0] == 403


def test_either_key_of_a_log_will_do_and_a_bad_line_of_neither():
    """A log that signs with Ed25519 and ML-DSA-44, followed by both keys: while one is taken out of use, too."""
    both = [LOG.verifier, QUANTUM.verifier]
    plain = signed(3)
    line = cosignature.sign(plain.text, QUANTUM, 5)
    for lines in (plain.signatures, (line,), (*plain.signatures, line)):
        request = witnessing.parse(b"old 0\n\n" + note.Note(plain.text, lines).to_bytes())
        assert witnessing.known_keys(request, both) == both
    for lines in (
        (*plain.signatures, line._replace(value=bytes(2428))),
        (line, plain.signatures[0]._replace(value=bytes(64))),
    ):
        request = witnessing.parse(b"old 0\n\n" + note.Note(plain.text, lines).to_bytes())
        assert refused(lambda request=request: witnessing.known_keys(request, both))[0] == 403


def test_the_cosignatures_are_what_a_policy_asks_for():
    """Both lines verify at their time, and the note that is shown has the log's line and no stranger's."""
    stranger = note.Signature("spam.example", 1, bytes(64))
    request = witnessing.parse(asked(0, 9).to_bytes() + f"{stranger}\n".encode())
    lines = witnessing.cosign(request, SIGNERS, 1_700_000_000)
    shown = witnessing.cosigned(request, LOGS, lines)
    assert stranger in request.signed.signatures
    assert shown.signatures == (*signed(9).signatures, *lines)
    for number, signer in enumerate(SIGNERS):
        assert cosignature.verify(shown, signer.verifier) == [1_700_000_000]
        trusted = policy.Policy((LOG.verifier,), {"w": SIGNERS[number].verifier}, {}, "w")
        assert trusted.open(shown.to_bytes()) == tree(9)
