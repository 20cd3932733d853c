"""Where a version of an object stands in time: skewed clocks, late versions, deletion and re-creation."""

import pytest

from services.audit.core import rows
from services.audit.core.projections import versions
from services.audit.core.view import Unplaceable
from tests import audit_leaves as given


def points(tables: given.Tables) -> list[tuple[int, int]]:
    """(resourceVersion, valid_from after `START`) in the order of resourceVersion."""
    found = sorted(tables.all(rows.ObjectVersion), key=lambda row: (row.resource_version, row.leaf))
    return [(row.resource_version, row.valid_from - given.START) for row in found]


def at(index: int, version: int, observed: int, **more: str) -> given.Leaf:
    return given.leaf(index, given.changed(version, **more), time_us=given.START + observed)


def test_versions_hold_from_when_they_were_observed() -> None:
    """The plain case."""
    assert points(given.Tables().fold(at(0, 5, 100), at(1, 6, 200))) == [(5, 100), (6, 200)]


def test_a_clock_that_went_back_cannot_reorder_history() -> None:
    """A later resourceVersion observed earlier holds from one microsecond after its predecessor."""
    assert points(given.Tables().fold(at(0, 5, 100), at(1, 6, 40))) == [(5, 100), (6, 101)]


def test_a_late_version_begins_no_later_than_the_higher_one() -> None:
    """It slips in between, and never hides what is newer."""
    assert points(given.Tables().fold(at(0, 5, 100), at(1, 7, 200), at(2, 6, 900))) == [(5, 100), (6, 200), (7, 200)]


def test_a_late_version_does_not_begin_before_its_predecessor() -> None:
    """Skewed and late at once."""
    assert points(given.Tables().fold(at(0, 5, 100), at(1, 7, 200), at(2, 6, 50))) == [(5, 100), (6, 101), (7, 200)]


def test_deletion_and_recreation_are_points_of_the_same_name() -> None:
    """A new uid under the same name goes on where the old one ended, even if the end is noticed late."""
    gone = given.leaf(2, given.deleted(8), time_us=given.START + 500)
    tables = given.Tables().fold(at(0, 5, 100), at(1, 9, 300, uid="u2"), gone)
    assert points(tables) == [(5, 100), (8, 300), (9, 300)]
    assert [row.gone for row in sorted(tables.all(rows.ObjectVersion), key=lambda row: row.resource_version)] == [
        False,
        True,
        False,
    ]


def test_a_body_is_kept_once_per_digest() -> None:
    """A change and its revert share two bodies among three versions."""
    tables = given.Tables().fold(at(0, 5, 1, digest="j1:a"), at(1, 6, 2, digest="j1:b"), at(2, 7, 3, digest="j1:a"))
    assert [(body.digest, body.first_leaf) for body in tables.all(rows.Body)] == [("j1:a", 0), ("j1:b", 1)]


@pytest.mark.parametrize("text", ["", "abc", "-1", "1" * 19, "１"])
def test_a_resource_version_that_is_no_number_is_unplaceable(text: str) -> None:
    """Its place in history cannot be told, so it is not guessed."""
    with pytest.raises(Unplaceable):
        versions.resource_version(text)


def test_what_cannot_be_placed_is_said_and_stops_nothing() -> None:
    """The version is unplaced with its reason; the object's row and the timeline go on."""
    odd = given.changed(5)
    odd.resource_version = "abc"
    tables = given.Tables().fold(given.leaf(0, odd), at(1, 6, 100))
    assert {row.projection for row in tables.all(rows.Unplaced)} == {"object_version", "application_object"}
    assert len(tables.all(rows.Moment)) == 2
    assert points(tables) == [(6, 100)]
