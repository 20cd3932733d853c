"""The memory of a source: kept whole, and the same whether ingest speaks or reads back what it said."""

from hypothesis import given, settings
from hypothesis import strategies as st

from decklog.events.v1 import control_pb2, cursor_pb2, git_pb2, subject_pb2
from decklog.ports import mirror
from services.ingest.core import condition, moves, recollection
from services.ingest.core import cursor as cursors

_IDS = st.text("0123456789abcdef", min_size=1, max_size=4)
_HEADS = st.dictionaries(st.sampled_from(["HEAD", "refs/heads/a", "refs/tags/b"]), st.builds(cursors.Head, _IDS))
_CURSORS = st.builds(
    cursors.Cursor,
    source=st.just("infra"),
    heads=_HEADS,
    retired=st.frozensets(_IDS),
    failure=st.one_of(st.none(), st.just(subject_pb2.Failure(reason="Unreachable"))),
    failed_attempts=st.integers(0, 9),
    announced=st.dictionaries(
        _IDS,
        st.builds(
            cursors.Announced,
            cluster=_IDS,
            ref=_IDS,
            commit=_IDS,
            sequence=st.integers(0, 9),
            spec_digest=_IDS,
            seen=st.integers(0, 9),
        ),
    ),
    positions=st.dictionaries(
        st.tuples(st.sampled_from(["git", "control"]), st.integers(0, 11)), st.integers(0, 2**62)
    ),
    declared_commit=_IDS,
)


@settings(max_examples=50, deadline=None)
@given(_CURSORS.map(lambda cursor: cursors.advance(cursor, ("git", 1), 5)))
def test_a_cursor_survives_the_topic(cursor: cursors.Cursor) -> None:
    """What is kept and read again is the same memory."""
    message = cursors.to_message(cursor)
    assert cursors.from_message(cursor_pb2.SourceCursor.FromString(message.SerializeToString())) == cursor


def move(ref: str, old: str, new: str, sequence: int, **flags: bool) -> git_pb2.RefMoved:
    return git_pb2.RefMoved(source="infra", ref=ref, old=old, new=new, sequence=sequence, **flags)


def test_reading_back_equals_speaking() -> None:
    """The fold of what was said gives the heads, the failure and the announcements that speaking gave."""
    told = control_pb2.RevisionAvailable(
        application=subject_pb2.ApplicationRef(cluster="dev", application="shop"),
        revision=subject_pb2.Revision(source="infra", ref="refs/heads/a", commit="c2"),
        ref_sequence=2,
    )
    said = [
        git_pb2.CommitObserved(commit="c1"),
        move("refs/heads/a", "", "c1", 1),
        git_pb2.CommitObserved(commit="c2", parents=["c1"]),
        move("refs/heads/a", "c1", "c2", 2),
        told,
        git_pb2.SourceFailed(failure=subject_pb2.Failure(reason="Unreachable"), attempts=1),
    ]
    empty = recollection.Recollection(cursors.Cursor(source="infra"))
    known = recollection.fold(empty, said)
    assert known.cursor.heads == {"refs/heads/a": cursors.Head("c2", "", 2, "c1")}
    assert known.cursor.failure is not None
    assert known.cursor.announced["shop"].commit == "c2"
    assert known.tips == frozenset()


def test_commits_ahead_of_their_move_are_tips() -> None:
    """Of commits whose move was not said, the newest stand for all they reach."""
    said = [
        git_pb2.CommitObserved(commit="c1"),
        git_pb2.CommitObserved(commit="c2", parents=["c1"]),
        git_pb2.CommitObserved(commit="d2", parents=["c1"]),
    ]
    known = recollection.fold(recollection.Recollection(cursors.Cursor(source="infra")), said)
    assert known.tips == {"c2", "d2"}


def test_a_forced_move_retires_what_it_left() -> None:
    """A commit that no ref may reach is remembered by itself, until a ref points to it again."""
    cursor = cursors.moved(cursors.Cursor(source="infra"), move("r", "", "c1", 1), orphaned=False)
    cursor = cursors.moved(cursor, move("r", "c1", "d1", 2, forced=True), orphaned=True)
    assert cursor.covered == {"c1", "d1"}
    assert cursors.moved(cursor, move("r", "d1", "c1", 3, forced=True), orphaned=True).retired == {"d1"}


def test_moves_are_decided_by_name_order() -> None:
    """New, moved, re-tagged and deleted refs are moves; what is not followed, or did not move, is none."""
    heads = {
        "HEAD": cursors.Head("c1", "", 3),
        "refs/heads/gone": cursors.Head("c1", "", 1),
        "refs/tags/v1": cursors.Head("c1", "t1", 1),
        "refs/heads/was": cursors.Head("", "", 2),
    }
    remote = {
        "HEAD": mirror.Target("c1"),
        "refs/heads/new": mirror.Target("c2"),
        "refs/tags/v1": mirror.Target("c1", "t2"),
        "refs/pull/1/head": mirror.Target("c9"),
    }
    found = moves.decide(heads, remote, ["HEAD", "refs/heads/*", "refs/tags/*"])
    assert [(one.ref, one.target) for one in found] == [
        ("refs/heads/gone", None),
        ("refs/heads/new", mirror.Target("c2")),
        ("refs/tags/v1", mirror.Target("c1", "t2")),
    ]
    assert moves.missing(remote, ["HEAD", "refs/heads/*", "refs/heads/typo"]) == ["refs/heads/typo"]


def test_a_condition_is_said_when_it_changes() -> None:
    """The same reason in other words is no change; another reason, and the recovery, are."""
    first = subject_pb2.Failure(reason="Unreachable", message="after 3 s")
    other = subject_pb2.Failure(reason="Unreachable", message="after 4 s")
    denied = subject_pb2.Failure(reason="AuthenticationFailed")
    assert condition.decide("infra", said=None, now=None, attempts=1) is None
    assert condition.decide("infra", said=first, now=other, attempts=2) is None
    for said, now in ((None, first), (first, denied)):
        failed = condition.decide("infra", said=said, now=now, attempts=1)
        assert failed is not None
        assert not failed.recovered
    recovered = condition.decide("infra", said=first, now=None, attempts=5)
    assert recovered is not None
    assert (recovered.recovered, recovered.attempts, recovered.HasField("failure")) == (True, 5, False)
