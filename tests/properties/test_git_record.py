"""Recorded histories: whatever is left out of the record of a growing repository is named."""

import hypothesis
from hypothesis import strategies

from decklog.events.v1 import git_pb2
from decklog.model import git_record


def oid(number):
    return f"{number:040x}"


@strategies.composite
def records(draw):
    """What ingest says of a repository: commits after their parents, moves after the commits that they reach."""
    known, said, refs, tips = [], [], {}, {}
    for _ in range(draw(strategies.integers(1, 8))):
        for _ in range(draw(strategies.integers(0, 4))):
            chosen = strategies.lists(strategies.sampled_from(known), max_size=2, unique=True)
            parents = draw(chosen) if known else []
            number = len(known) + 1
            known.append(number)
            said.append(git_pb2.CommitObserved(source="s", commit=oid(number), parents=map(oid, parents)))
        ref = draw(strategies.sampled_from(["refs/heads/main", "refs/heads/other"]))
        new = oid(draw(strategies.sampled_from(known))) if known and draw(strategies.integers(0, 5)) else ""
        refs[ref] = refs.get(ref, 0) + 1
        old, tips[ref] = tips.get(ref, ""), new
        said.append(git_pb2.RefMoved(source="s", ref=ref, old=old, new=new, sequence=refs[ref], deleted=not new))
    return said


def holes(said, *, erased=0):
    history = git_record.History(erased=erased)
    told = []
    for number, message in enumerate(said):
        match message:
            case git_pb2.CommitObserved():
                told += [(number, text) for text in history.commit(message)]
            case git_pb2.RefMoved():
                told += [(number, text) for text in history.move(number, message)]
    return told, history


@hypothesis.given(records())
def test_what_ingest_says_is_closed_under_ancestry(said):
    """No hole, and every commit and ref is there."""
    told, history = holes(said)
    assert told == []
    assert len(history.commits) == sum(isinstance(one, git_pb2.CommitObserved) for one in said)
    reached = {one.new for one in said if isinstance(one, git_pb2.RefMoved)}
    children = {parent for one in said if isinstance(one, git_pb2.CommitObserved) for parent in one.parents}
    tips = {one.commit for one in said if isinstance(one, git_pb2.CommitObserved)} - children
    assert history.unreached() == sorted(tips - reached)


@hypothesis.given(records(), strategies.data())
def test_what_is_left_out_is_named_by_what_needs_it(said, data):
    """A commit by its first child or the first move to it; a move by the next of its ref."""
    gone = data.draw(strategies.integers(0, len(said) - 1))
    lost, rest = said[gone], [*said[:gone], *said[gone + 1 :]]
    told, _ = holes(rest)
    if isinstance(lost, git_pb2.CommitObserved):
        needs = [
            n for n, one in enumerate(rest) if lost.commit in (getattr(one, "new", ""), *getattr(one, "parents", ()))
        ]
    else:
        needs = [n for n, one in enumerate(rest) if n >= gone and getattr(one, "ref", "") == lost.ref]
    assert [number for number, _ in told[:1]] == needs[:1]
    if isinstance(lost, git_pb2.CommitObserved) and told:
        assert lost.commit in told[0][1]


@hypothesis.given(records(), strategies.data())
def test_what_was_erased_is_unknown_and_not_missing(said, data):
    """It may have said what is looked for: neither a hole nor complete."""
    gone = data.draw(strategies.integers(0, len(said) - 1))
    expected, _ = holes([*said[:gone], *said[gone + 1 :]])
    told, history = holes([*said[:gone], *said[gone + 1 :]], erased=1)
    assert (told, history.unknown, history.holes) == ([], len(expected), 0)
