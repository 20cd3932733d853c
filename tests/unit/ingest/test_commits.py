"""A commit object becomes an event: a function of its bytes, whatever they are."""

from hypothesis import given
from hypothesis import strategies as st

from decklog.events.v1 import git_pb2
from decklog.model import events, ids, topics
from decklog.ports import mirror
from services.ingest.core import commits

TREE = b"tree " + b"a" * 40 + b"\n"
WHO = b"author A <a@x> 1700000000 +0100\ncommitter C <c@x> 1700000060 -0230\n"


def observed(raw: bytes, *changes: mirror.Change, total: int = 0) -> git_pb2.CommitObserved:
    return commits.observed("infra", mirror.Commit("f" * 40, raw, changes, total or len(changes)))


def test_an_ordinary_commit() -> None:
    """Author, committer, parents, message and trailers arrive as they stand."""
    parents = b"parent " + b"b" * 40 + b"\nparent " + b"c" * 40 + b"\n"
    message = observed(TREE + parents + WHO + b"\nTitle\n\nWhy.\n\nReviewed-by: R\n")
    assert (message.tree, list(message.parents)) == ("a" * 40, ["b" * 40, "c" * 40])
    assert (message.author.name, message.author.email, message.author.offset_minutes) == ("A", "a@x", 60)
    assert (message.committer.time_us, message.committer.offset_minutes) == (1_700_000_060_000_000, -150)
    assert message.message == "Title\n\nWhy.\n\nReviewed-by: R\n"
    assert [(one.key, one.value) for one in message.trailers] == [("Reviewed-by", "R")]


def test_a_signature_is_unfolded() -> None:
    """The signature header's continuation lines become the armour that a verifier reads."""
    raw = TREE + WHO + b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n\nTitle\n"
    assert observed(raw).signature == b"-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----"


def test_a_merged_tag_is_not_the_signature() -> None:
    """A merge carries the tag it merged, with a signature of its own: that one is not the commit's."""
    raw = TREE + WHO + b"mergetag object 1\n type commit\n \n gpgsig fake\n\nTitle\n"
    assert observed(raw).signature == b""


def test_changes_by_kind() -> None:
    """Each kind of change has its word, a rename both paths."""
    message = observed(TREE + WHO + b"\n", mirror.Change("new", mirror.ChangeKind.RENAMED, "old"), total=7)
    (change,) = message.changes
    assert (change.path, change.old_path, change.kind) == ("new", "old", git_pb2.PATH_CHANGE_KIND_RENAMED)
    assert message.changes_total == 7


def test_a_long_message_is_cut_between_characters() -> None:
    """64 KiB at most, valid UTF-8, and the event says that it was cut."""
    message = observed(TREE + WHO + b"\n" + "ü".encode() * 40_000)
    assert (len(message.message.encode()), message.message_truncated) == (65_536, True)


def test_the_worst_commit_fits() -> None:
    """Very many long paths, parents and lines stay below what Kafka takes."""
    parents = b"".join(b"parent %040x\n" % number for number in range(50_000))
    changes = [mirror.Change("p" * 4_000 + str(n), mirror.ChangeKind.RENAMED, "q" * 4_000) for n in range(1_000)]
    raw = TREE + parents + WHO + b"gpgsig " + b"x" * 10**6 + b"\n\n" + b"Key: value\n" * 10**6
    assert len(events.encode(observed(raw, *changes))) < topics.MAX_EVENT_BYTES


def test_absurd_dates_are_clamped_in_the_id_only() -> None:
    """The event keeps what the commit says as far as 64 bits go; the id stays a valid one."""
    before = observed(TREE + b"author A <a> 1 +0000\ncommitter C <c> -99999999999 +0000\n\n")
    after = observed(TREE + b"author A <a> 1 +0000\ncommitter C <c> 999999999999999999999999 +0000\n\n")
    assert before.committer.time_us == -99_999_999_999_000_000
    assert after.committer.time_us == 2**63 - 1
    for message in (before, after):
        identifier = ids.derived(commits.committed_ms(message), b"infra", b"f" * 20)
        assert 0 <= identifier.int >> 80 <= ids.MAX_MILLISECONDS


def test_an_unknown_encoding_is_read_as_utf8() -> None:
    """Neither an unknown character set nor a codec in disguise is followed."""
    for name in (b"klingon", b"zip", b"unicode_escape", b"idna"):
        assert observed(TREE + WHO + b"encoding " + name + b"\n\nT\\x41\n").message == "T\\x41\n"


@given(st.binary(max_size=400))
def test_any_bytes_become_an_event(raw: bytes) -> None:
    """Whatever a commit object holds, there is one event for it, always the same, and it can be sent."""
    message = observed(TREE + raw)
    assert events.encode(message) == events.encode(observed(TREE + raw))
    assert git_pb2.CommitObserved.FromString(events.encode(message)) == message


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_identity_line(author: bytes, committer: bytes) -> None:
    """An author line that is no author line does not stop anything."""
    line = author.replace(b"\n", b" ")
    observed(TREE + b"author " + line + b"\ncommitter " + committer.replace(b"\n", b"") + b"\n\nT\n")
