"""Cosignatures and the policies that ask for them."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

from decklog.model import merkle
from decklog.model.tlog import checkpoint, cosignature, keys, note, policy
from tests import vectors

LOG = keys.from_pem(keys.new_pem(b"l" * 32), "log.example/1")
TREE = checkpoint.Checkpoint("log.example/1", 7, merkle.leaf_hash(b""))
TIME = 1_700_000_000


class Ed25519Witness:
    """A witness as the specification describes it, written apart from the code under test."""

    def __init__(self, name, seed):
        self._secret = ed25519.Ed25519PrivateKey.from_private_bytes(seed * 32)
        public = self._secret.public_key().public_bytes_raw()
        self.key = keys.VerifierKey(name, keys.Algorithm.ED25519_COSIGNATURE, public)

    def line(self, text, time=TIME):
        signature = self._secret.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
        return note.Signature(self.key.name, self.key.id, time.to_bytes(8, "big") + signature)


class Mldsa44Witness:
    """The same with ML-DSA-44: the signed message is a structure, spelled out here byte by byte."""

    def __init__(self, name, seed):
        self._secret = mldsa.MLDSA44PrivateKey.from_seed_bytes(seed * 32)
        public = self._secret.public_key().public_bytes_raw()
        self.key = keys.VerifierKey(name, keys.Algorithm.MLDSA44_COSIGNATURE, public)

    def line(self, text, time=TIME):
        tree = checkpoint.parse(text)
        name, origin = self.key.name.encode(), tree.origin.encode()
        signed = b"subtree/v1\n\x00" + bytes([len(name)]) + name + time.to_bytes(8, "big")
        signed += bytes([len(origin)]) + origin + bytes(8) + tree.size.to_bytes(8, "big") + tree.root
        return note.Signature(self.key.name, self.key.id, time.to_bytes(8, "big") + self._secret.sign(signed))


ONE, TWO, THREE = (Ed25519Witness(f"w{n}.example", bytes([n])) for n in (1, 2, 3))
QUANTUM = Mldsa44Witness("pq.example", b"q")
WITNESSES = {"one": ONE, "two": TWO, "three": THREE, "pq": QUANTUM}


def signed(*lines):
    return note.Note(TREE.to_text(), (*note.sign(TREE.to_text(), [LOG]).signatures, *lines))


@pytest.mark.parametrize("vector", vectors.ledger("cosignature.timestamp"))
def test_times(vector):
    """The published time of a cosignature; other signatures have none."""
    line = f"— witness.example {vector['input']['signature_b64']}\n"
    if not vector["expect"]["valid"]:
        with pytest.raises(ValueError, match=r"cosignature|base64|signature line"):
            cosignature.parse(note.parse(b"text\n\n" + line.encode()).signatures[0])
        return
    found = cosignature.parse(note.parse(b"text\n\n" + line.encode()).signatures[0])
    assert found.time == vector["expect"]["timestamp"]


@pytest.mark.parametrize("vector", vectors.ledger("cosignature.verify"))
def test_published_cosignatures(vector):
    """Cosignatures by other people's witnesses are verified, and not once a bit is changed."""
    (key,) = map(keys.parse, vector["input"]["cosigner_vkeys"])
    found = note.parse(base64.b64decode(vector["input"]["note_b64"]))
    assert cosignature.verify(found, key) == [vector["expect"]["timestamp"]]
    elsewhere = note.Note(found.text.replace("300", "301"), found.signatures)
    with pytest.raises(note.Unverified, match="wrong"):
        cosignature.verify(elsewhere, key)


@pytest.mark.parametrize("witness", WITNESSES.values(), ids=WITNESSES)
def test_a_cosignature_holds_for_its_text_time_and_key_alone(witness):
    """Another tree, time or key: refused. A key that did not sign has no times."""
    line = witness.line(TREE.to_text())
    assert cosignature.verify(signed(line), witness.key) == [TIME]
    assert cosignature.verify(signed(), witness.key) == []
    later = line._replace(value=(TIME + 1).to_bytes(8, "big") + line.value[8:])
    other = checkpoint.Checkpoint(TREE.origin, 8, TREE.root).to_text()
    cut = line._replace(value=line.value[:-1])
    out_of_range = line._replace(value=b"\xff" * 8 + line.value[8:])
    for given in (signed(later), note.Note(other, (line,)), signed(cut), signed(out_of_range)):
        with pytest.raises(note.Unverified):
            cosignature.verify(given, witness.key)


def test_the_ml_dsa_cosigner_is_named_in_what_it_signs():
    """The signature of one name is none of another, although the public key is the same."""
    line = QUANTUM.line(TREE.to_text())
    renamed = keys.VerifierKey("other.example", QUANTUM.key.algorithm, QUANTUM.key.public)
    with pytest.raises(note.Unverified, match="wrong"):
        cosignature.verify(signed(line._replace(name=renamed.name, id=renamed.id)), renamed)


def written(*lines):
    keys_of = {name: str(witness.key) for name, witness in WITNESSES.items()}
    return "".join(f"{line.format(log=LOG.verifier, **keys_of)}\n" for line in lines).encode()


GROUPS = written(
    "# who is believed",
    "log {log}",
    "",
    "witness one {one} https://w1.example/",
    "witness two {two}",
    "\twitness  three {three} ",
    "witness pq {pq}",
    "group two-of-three 2 one two three",
    "group everybody all two-of-three pq",
    "quorum everybody",
)


@pytest.mark.parametrize(
    ("cosigners", "enough"),
    [
        ((), False),
        ((ONE, TWO), False),
        ((ONE, QUANTUM), False),
        ((ONE, TWO, QUANTUM), True),
        ((ONE, THREE, QUANTUM), True),
        ((ONE, TWO, THREE, QUANTUM), True),
    ],
)
def test_a_quorum(cosigners, enough):
    """Two of three and another one: groups of groups are counted as the policy says."""
    data = signed(*(one.line(TREE.to_text()) for one in cosigners)).to_bytes()
    found = policy.parse(GROUPS)
    if enough:
        assert found.open(data) == TREE
    else:
        with pytest.raises(policy.NoQuorum, match="everybody"):
            found.open(data)


def test_one_witness_twice_counts_once():
    """Cosignatures at two times are of one witness."""
    rule = policy.parse(written("log {log}", "witness one {one}", "witness two {two}", "group g 2 one two", "quorum g"))
    lines = [ONE.line(TREE.to_text(), time) for time in (TIME, TIME + 1)]
    with pytest.raises(policy.NoQuorum):
        rule.open(signed(*lines).to_bytes())


def test_a_bad_cosignature_voids_the_note_though_the_quorum_is_met():
    """A known witness whose line is wrong did not write it."""
    rule = policy.parse(written("log {log}", "witness one {one}", "witness two {two}", "quorum one"))
    bad = TWO.line(checkpoint.Checkpoint("log.example/1", 8, TREE.root).to_text())
    with pytest.raises(note.Unverified, match="wrong"):
        rule.open(signed(ONE.line(TREE.to_text()), bad).to_bytes())


def test_the_log_must_have_signed_itself():
    """Witnesses alone make no checkpoint, and a key of another log is not believed."""
    rule = policy.parse(written("log {log}", "witness one {one}", "quorum one"))
    with pytest.raises(note.Unverified, match="no known key"):
        rule.open(note.Note(TREE.to_text(), (ONE.line(TREE.to_text()),)).to_bytes())
    other = policy.of_keys([keys.from_pem(keys.new_pem(b"x" * 32), "elsewhere.example").verifier])
    with pytest.raises(note.Unverified, match="no key is given"):
        other.open(signed().to_bytes())


def test_a_log_may_sign_with_ml_dsa_alone():
    """The specification recommends it: the log's own signature then has the form of a cosignature."""
    log = Mldsa44Witness("log.example/1", b"z")
    rule = policy.of_keys([log.key])
    assert rule.open(note.Note(TREE.to_text(), (log.line(TREE.to_text()),)).to_bytes()) == TREE
    with pytest.raises(note.Unverified):
        rule.open(signed().to_bytes())


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("log {log}",), "quorum"),
        (("quorum none", "quorum none"), "line 2: there is a second quorum"),
        (("quorum one",), "line 1: 'one' is not defined"),
        (("witness none {one}", "quorum none"), "line 1: the name 'none' is taken"),
        (("witness one {one}", "witness one {two}"), "line 2: the name 'one' is taken"),
        (("witness one {one}", "witness two {one}"), "line 2: the same public key"),
        (("log {log}", "log {log}"), "line 2: the same public key"),
        (("witness one {log}",), "line 1: this key signs notes"),
        (("witness one {one}", "group g 2 one"), "line 2: a group of 1 cannot"),
        (("witness one {one}", "group g 0 one"), "line 2: a group asks"),
        (("witness one {one}", "group g 01 one"), "line 2: a group asks"),
        (("witness one {one}", "group g any"), "line 2: `group` begins no line"),
        (("group g any none",), "line 1: 'none' is not defined"),
        (("witness one {one}", "group g any one one"), "line 2: 'one' is already"),
        (("witness one {one}", "group g any one", "group h any one"), "line 3: 'one' is already"),
        (("quorum none extra",), "line 1: `quorum` begins no line"),
        (("Quorum none",), "line 1: `Quorum` begins no line"),
        (("log nonsense",), "line 1: not a verifier key"),
        (("quorum none\r",), "control"),
    ],
)
def test_what_is_no_policy_is_named_with_its_line(lines, problem):
    """A rule that was misspelt is an error, never a weaker rule."""
    with pytest.raises(policy.Malformed, match=problem):
        policy.parse(written(*lines))


def test_names_are_octets():
    """Two names that look alike and differ in their bytes are two names."""
    given = written("witness K {one}", "witness \N{KELVIN SIGN} {two}", "group g all K \N{KELVIN SIGN}", "quorum g")
    assert len(policy.parse(given).witnesses) == 2
