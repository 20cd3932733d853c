"""What a verifier keeps of what it has read: no more than so many bytes, whatever they are of."""

from decklog.verifier.remembered import Remembered

KEPT = 4 << 10


def test_what_was_wanted_last_is_not_read_again_and_the_rest_is_let_go():
    """Three large answers do not fit: the one that was wanted longest ago is read anew."""
    asked = []
    read = Remembered(lambda key: asked.append(key) or bytes(1500), len, KEPT)
    for key in "abacab":
        assert len(read(key)) == 1500
    assert asked == ["a", "b", "c", "b"]


def test_an_answer_that_is_larger_than_all_is_given_and_kept_alone():
    """It was read anyhow; what follows takes its place."""
    asked = []
    read = Remembered(lambda key: asked.append(key) or bytes(key), len, KEPT)
    assert [len(read(key)) for key in (1, 5000, 5000, 1)] == [1, 5000, 5000, 1]
    assert asked == [1, 5000, 1]


def test_very_many_answers_that_are_nothing_are_not_kept():
    """Each takes some room, too."""
    asked = []
    read = Remembered(asked.append, lambda _: 0, KEPT)
    for key in (*range(1000), 0, 999):
        read(key)
    assert asked == [*range(1000), 0]
