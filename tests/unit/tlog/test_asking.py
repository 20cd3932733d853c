"""What a log makes of each answer of a witness: only another history is an alarm, and only a signature counts."""

import pytest

from decklog.model import merkle
from decklog.model.tlog import asking, checkpoint, cosignature, keys, note, witnessing

LOG = keys.from_pem(keys.new_pem(b"l" * 32), "log.example/1")
ONE = keys.cosigner_from_pem(keys.new_pem(b"w" * 32), "w.example")
TWO = keys.cosigner_from_pem(keys.new_mldsa44_pem(b"w" * 32), "w.example")
OTHER = keys.cosigner_from_pem(keys.new_pem(b"o" * 32), "w.example")
TREE = checkpoint.Checkpoint(LOG.name, 7, merkle.leaf_hash(b""))
ASKED = witnessing.request(3, [bytes(32)], note.sign(TREE.to_text(), [LOG]))


def lines(*signers, tree=TREE, time=5):
    asked = witnessing.request(0, [], note.sign(tree.to_text(), [LOG]))
    return "".join(f"{line}\n" for line in witnessing.cosign(asked, signers, time)).encode()


def meaning(status, body):
    return asking.interpret(status, body, ASKED, ONE.verifier)


def test_the_line_of_the_expected_key_counts_and_others_are_passed_over():
    """Also behind lines of keys that nobody knows, and for either kind of key."""
    for signers in ([ONE], [TWO, ONE], [OTHER, ONE, TWO]):
        answer = meaning(200, lines(*signers))
        assert isinstance(answer, asking.Cosigned)
        assert (answer.line.name, answer.line.id) == ("w.example", ONE.verifier.id)
    quantum = asking.interpret(200, lines(ONE, TWO), ASKED, TWO.verifier)
    assert isinstance(quantum, asking.Cosigned)
    assert quantum.line.id == TWO.verifier.id


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ok\n",
        lines(OTHER),
        lines(TWO),
        lines(ONE).replace(b"A", b"B"),
        lines(ONE, tree=checkpoint.Checkpoint(LOG.name, 8, merkle.leaf_hash(b"x"))),
        lines(ONE, time=0),
        lines(ONE) + lines(ONE, time=0),
    ],
)
def test_an_answer_without_a_good_signature_is_trouble(body):
    """Nothing, words, another key's, a damaged one, one over another tree or without a time: no alarm either."""
    assert isinstance(meaning(200, body), asking.Trouble)


@pytest.mark.parametrize("added", ["x\n", "\n", "", "x"])
def test_a_signature_over_a_text_that_the_answer_makes_longer_is_trouble(added):
    """Its own key, and a good signature over what was asked and more: readers of the checkpoint would refuse it."""
    longer = cosignature.sign(f"{TREE.to_text()}\n{added}\n", ONE, 5)
    assert isinstance(meaning(200, f"{added}\n\n{longer}\n".encode()), asking.Trouble)
    good = lines(ONE)
    for body in (b"\n" + good, good + b"\n", good + b"x\n", b"x\n\n" + good, good[:-1], good + b"\xff\n"):
        assert isinstance(meaning(200, body), asking.Trouble), body


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (409, b"5\n", asking.GoOnFrom(5)),
        (409, b"0\n", asking.GoOnFrom(0)),
        (409, b"7", asking.GoOnFrom(7)),
        (409, b"8\n", asking.Ahead(8)),
        (422, b"no\nproof", asking.Disputed("no proof")),
    ],
)
def test_conflicts_and_disputes(status, body, expected):
    """A smaller size is where to go on from, a larger one and a refused proof are another history."""
    assert meaning(status, body) == expected


@pytest.mark.parametrize(("status", "body"), [(409, b"no"), (409, b""), (409, b"7\n"), (422, b"no proof")])
def test_another_tree_of_the_same_size_is_an_alarm(status, body):
    """A witness tells with 422 that it cosigned another root, and with 409 where it follows the older specification."""
    again = witnessing.request(7, [], note.sign(TREE.to_text(), [LOG]))
    assert isinstance(asking.interpret(status, body, again, ONE.verifier), asking.Disputed)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, b"3\n"),
        (409, b""),
        (409, b"-1"),
        (409, b"9" * 30),
        (404, b"who?"),
        (403, b""),
        (400, b""),
        (500, b"x"),
        (302, b""),
    ],
)
def test_all_else_is_trouble_in_words(status, body):
    """A 409 that contradicts itself or has no size; a log that is not followed; anything unexpected."""
    answer = meaning(status, body)
    assert isinstance(answer, asking.Trouble)
    assert answer.text
