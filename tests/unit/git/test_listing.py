"""What git prints, parsed."""

from decklog.adapters.git import listing
from decklog.ports import mirror

A, B = "a" * 40, "b" * 40


def test_refs_with_their_peeled_tags() -> None:
    """An annotated tag's second line says where it leads."""
    printed = f"{A}\tHEAD\n{A}\trefs/heads/main\n{B}\trefs/tags/v1\n{A}\trefs/tags/v1^{{}}\n{A}\trefs/tags/light\n"
    assert listing.remote_refs(printed) == {
        "HEAD": mirror.Target(A),
        "refs/heads/main": mirror.Target(A),
        "refs/tags/v1": mirror.Target(A, B),
        "refs/tags/light": mirror.Target(A),
    }


def test_names_that_git_forbids_are_left_out() -> None:
    """A remote cannot smuggle a refspec, a control character or an id that is none into what follows."""
    names = ["refs/heads/a:refs/heads/b", "refs/heads/a b", "refs/heads/\x1b[2J", "refs/heads/../x", "--upload-pack=x"]
    printed = "".join(f"{A}\t{name}\n" for name in names) + "nonsense\trefs/heads/main\n" + f"{A}\trefs/heads/ünï\n"
    assert set(listing.remote_refs(printed)) == {"refs/heads/ünï"}


def test_changes_of_several_commits() -> None:
    """Commits without changes are simply not there; renames carry both paths, and any byte may be in a path."""
    record = b":100644 100644 " + b"1" * 40 + b" " + b"2" * 40
    printed = b"\0".join(
        [
            A.encode(),
            record + b" M",
            b"a:b",
            record + b" R087",
            b"old",
            b"new \xff",
            B.encode(),
            record + b" T",
            b":x",
            b"",
        ]
    )
    assert dict(listing.changes(printed)) == {
        A: (
            (
                mirror.Change("a:b", mirror.ChangeKind.MODIFIED),
                mirror.Change("new \ufffd", mirror.ChangeKind.RENAMED, "old"),
            ),
            2,
        ),
        B: ((mirror.Change(":x", mirror.ChangeKind.MODIFIED),), 1),
    }
