"""Folds are pure: how the ledger is cut into slices never shows in the tables."""

import dataclasses
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from decklog.events.v1 import apply_pb2, control_pb2, fleet_pb2, git_pb2, subject_pb2
from services.audit.core import rows
from services.audit.core.leaf import Leaf
from tests import audit_leaves as some

NAMES = st.sampled_from(["settings", "other", "third"])
DIGESTS = st.sampled_from(["j1:a", "j1:b"])
VERSIONS = st.integers(1, 12)

MESSAGES = st.one_of(
    st.builds(some.declared, by_git=st.booleans(), mode=st.sampled_from([fleet_pb2.MODE_OFF, fleet_pb2.MODE_HEAL])),
    st.builds(
        fleet_pb2.ApplicationRemoved,
        name=st.just("shop"),
        before=st.just(fleet_pb2.ApplicationSpec(dest_cluster="dev")),
        origin=st.just(fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id="r"))),
    ),
    st.builds(lambda pairs: some.rendered(*pairs), st.lists(st.tuples(NAMES, DIGESTS), unique_by=lambda pair: pair[0])),
    st.builds(
        some.drift,
        st.sampled_from([1, 2, 3]),
        st.sampled_from([1, 2, 3, 4, 5]),
        name=NAMES,
        episode=st.sampled_from(["e1", "e2"]),
    ),
    st.builds(
        apply_pb2.HealthAssessed,
        application=st.just(some.application()),
        health=st.just(apply_pb2.HEALTH_HEALTHY),
        objects=st.lists(st.builds(some.config_map, NAMES)),
    ),
    st.builds(some.compared, in_sync=st.integers(0, 3), digest=st.sampled_from(["j1:0", "j1:1", "j1:2", "j1:3"])),
    st.builds(some.changed, VERSIONS, name=NAMES),
    st.builds(some.deleted, VERSIONS, name=NAMES),
    st.builds(
        apply_pb2.ObjectApplied,
        application=st.just(some.application()),
        object=st.builds(some.config_map, NAMES),
        outcome=st.sampled_from([1, 2, 3, 4, 5]),
        sync_id=st.just("s1"),
    ),
    st.builds(
        apply_pb2.SyncFinished,
        application=st.just(some.application()),
        outcome=st.sampled_from([1, 2, 3]),
        sync_id=st.sampled_from(["s1", "s2"]),
        revision=st.just(some.revision()),
    ),
    st.builds(
        apply_pb2.SyncStarted,
        application=st.just(some.application()),
        sync_id=st.sampled_from(["s1", "s2"]),
        revision=st.just(some.revision()),
    ),
    st.builds(
        control_pb2.RevisionAvailable,
        application=st.just(some.application()),
        revision=st.just(some.revision("b" * 40)),
        ref_sequence=st.integers(0, 2**64 - 1),
    ),
    st.builds(
        git_pb2.SourceFailed,
        source=st.just("infrastructure"),
        recovered=st.booleans(),
        failure=st.just(subject_pb2.Failure(reason="Unreachable")),
    ),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Leaf]:
    """Leaves in ledger order, with sequence numbers and times that need not follow it."""
    return [
        some.leaf(
            index,
            message,
            sequence=draw(st.integers(0, 20)),
            time_us=some.START + draw(st.integers(0, 30)) * some.SECOND,
        )
        for index, message in enumerate(draw(st.lists(MESSAGES, max_size=25)))
    ]


@settings(max_examples=150, deadline=None)
@given(histories(), st.lists(st.integers(0, 25), max_size=6))
def test_any_slicing_gives_the_same_tables(leaves: list[Leaf], cuts: list[int]) -> None:
    """One slice, a leaf at a time, or cut anywhere: the same rows."""
    whole = some.Tables().fold(*leaves)
    single, sliced = some.Tables(), some.Tables()
    for leaf in leaves:
        single.fold(leaf)
    edges = sorted({0, len(leaves), *(cut for cut in cuts if cut <= len(leaves))})
    for start, end in itertools.pairwise(edges):
        sliced.fold(*leaves[start:end])
    assert single.rows == whole.rows
    assert sliced.rows == whole.rows


@settings(max_examples=150, deadline=None)
@given(histories())
def test_counts_are_the_objects_that_there_are(leaves: list[Leaf]) -> None:
    """The application's counts are what counting its objects gives, whatever happened."""
    tables = some.Tables().fold(*leaves)
    objects = tables.all(rows.ApplicationObject)
    for application in tables.all(rows.Application):
        verdicts = [row.verdict for row in objects]
        assert application.objects == len(objects)
        for name in ("modified", "missing", "extra", "unknown"):
            assert getattr(application, name) == verdicts.count(name)
        assert application.pending == sum(not row.verdict and row.desired_digest != "" for row in objects)


@settings(max_examples=150, deadline=None)
@given(histories())
def test_versions_are_ordered_by_time_as_by_resource_version(leaves: list[Leaf]) -> None:
    """`valid_from` never decreases in the order of (resourceVersion, leaf), whatever the clocks said."""
    by_object: dict[str, list[rows.ObjectVersion]] = {}
    for row in some.Tables().fold(*leaves).all(rows.ObjectVersion):
        by_object.setdefault(row.object_id, []).append(row)
    for found in by_object.values():
        times = [row.valid_from for row in sorted(found, key=lambda row: (row.resource_version, row.leaf))]
        assert times == sorted(times)


@settings(max_examples=150, deadline=None)
@given(histories(), st.sets(st.integers(0, 25)), st.lists(st.integers(0, 25), max_size=6))
def test_what_was_erased_leaves_nothing_but_that_it_was(leaves: list[Leaf], erased: set[int], cuts: list[int]) -> None:
    """Whichever payloads are gone: folded in any slices, each such leaf is a line that says so and nothing else.

    No fold stumbles over the hole, and what has a row of its own by its leaf is what has its payload still.
    """
    left = [dataclasses.replace(leaf, message=None) if leaf.index in erased else leaf for leaf in leaves]
    tables, sliced = some.Tables().fold(*left), some.Tables()
    edges = sorted({0, len(left), *(cut for cut in cuts if cut <= len(left))})
    for start, end in itertools.pairwise(edges):
        sliced.fold(*left[start:end])
    assert sliced.rows == tables.rows
    lines = {line.leaf: line for line in tables.all(rows.Moment)}
    for leaf in left:
        if leaf.message is None:
            assert (lines[leaf.index].kind, lines[leaf.index].actor, lines[leaf.index].object) == ("Erased", "", "")
    facts = [row for row in tables.rows.values() if row.KEPT and "leaf" in row.KEY and not isinstance(row, rows.Moment)]
    assert not {row.key[row.KEY.index("leaf")] for row in facts} & erased
