"""Which applications are told of a revision, and which moves they need not hear of."""

from decklog.events.v1 import apply_pb2, fleet_pb2, subject_pb2
from services.ingest.core import announcing
from services.ingest.core import cursor as cursors

MAIN = "refs/heads/main"
SPEC = fleet_pb2.ApplicationSpec(source="infra", ref=MAIN, path="apps/shop", dest_cluster="dev")


def cursor(*, sequence: int = 2, told: int = 1, digest: str | None = None, commit: str = "old") -> cursors.Cursor:
    announced = cursors.Announced(
        cluster="dev",
        ref=MAIN,
        commit=commit,
        sequence=told,
        spec_digest=announcing.spec_digest(SPEC) if digest is None else digest,
        seen=told,
    )
    head = cursors.Head(commit="new", sequence=sequence, previous="old")
    return cursors.Cursor(source="infra", heads={MAIN: head}, announced={"shop": announced})


def rendering(commit: str = "old", **inputs: str) -> announcing.Rendering:
    found = {path.replace("__", "/"): object_id for path, object_id in inputs.items()}
    return announcing.Rendering(subject_pb2.Revision(source="infra", ref=MAIN, commit=commit), found)


def only(known: cursors.Cursor, spec: fleet_pb2.ApplicationSpec = SPEC) -> announcing.Due:
    (one,) = announcing.due(known, [("shop", spec)])
    return one


def test_nothing_is_due_twice() -> None:
    """An application that was told the head is not told again."""
    assert announcing.due(cursor(told=2), [("shop", SPEC)]) == []


def test_a_ref_that_is_not_there() -> None:
    """Without a head there is nothing to tell; a deleted ref is no head."""
    assert announcing.due(cursors.Cursor(source="infra"), [("shop", SPEC)]) == []
    gone = cursors.Cursor(source="infra", heads={MAIN: cursors.Head(sequence=3)})
    assert announcing.due(gone, [("shop", SPEC)]) == []


def test_a_new_declaration_is_never_skipped() -> None:
    """First declared, or declared otherwise: it is told, whatever was rendered before."""
    fresh = only(cursors.Cursor(source="infra", heads={MAIN: cursors.Head(commit="new", sequence=1)}))
    changed = only(cursor(told=2, digest="another"))
    for one in (fresh, changed):
        assert not announcing.inputs_to_compare(one, rendering(apps__shop="t1"))


def test_a_move_that_touches_no_input_may_be_skipped() -> None:
    """Every path that the last rendering read is compared, also those beside the application's folder."""
    last = rendering(apps__shop="t1", base="t2", values="")
    one = only(cursor())
    assert announcing.inputs_to_compare(one, last) == {"apps/shop", "base", "values"}
    assert announcing.unchanged(last, {"apps/shop": "t1", "base": "t2", "values": ""})
    assert not announcing.unchanged(last, {"apps/shop": "t1", "base": "t3", "values": ""})
    assert not announcing.unchanged(last, {"apps/shop": "t1", "base": "t2", "values": "came"})


def test_only_the_rendering_of_what_was_told_counts() -> None:
    """While reconcile has not rendered what it was told last, nobody knows what it is at: nothing is skipped."""
    assert not announcing.inputs_to_compare(only(cursor()), rendering("older", apps__shop="t1"))
    assert not announcing.inputs_to_compare(only(cursor()), None)
    assert not announcing.inputs_to_compare(only(cursor()), rendering())


def test_the_rendering_of_another_path_does_not_count() -> None:
    """A rendering that read nothing of the folder was made for another declaration."""
    assert not announcing.inputs_to_compare(only(cursor()), rendering(apps__blog="t1"))
    assert announcing.inputs_to_compare(only(cursor()), rendering(apps="t1"))


def test_parts_of_a_split_rendering() -> None:
    """Only the first part lists inputs; the others are no rendering by themselves."""
    first = apply_pb2.Rendered(part=0, parts=2, inputs=[apply_pb2.InputPath(path="apps", object_id="t1")])
    found = announcing.rendering_of(first)
    assert found is not None
    assert found.inputs == {"apps": "t1"}
    assert announcing.rendering_of(apply_pb2.Rendered(part=1, parts=2)) is None


def test_a_skipped_move_stays_skipped() -> None:
    """What was looked at once is not looked at again, and the next move is compared with what was told."""
    known = cursors.skipped(cursor(), "shop", 2)
    assert announcing.due(known, [("shop", SPEC)]) == []
    assert known.announced["shop"].commit == "old"
