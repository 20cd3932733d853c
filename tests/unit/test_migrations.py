"""Which migrations are due, and when to stop."""

import pytest

from decklog.adapters.postgres import migrations
from decklog.model import errors

PRE = migrations.Migration(number=1, name="0001_pre_a.sql", phase=migrations.Phase.PRE, sql="SELECT 1")
POST = migrations.Migration(number=2, name="0002_post_b.sql", phase=migrations.Phase.POST, sql="SELECT 2")


def test_only_the_phase_asked_for_is_due():
    """`post` files wait until no older process is left."""
    assert migrations.pending([PRE, POST], {}, migrations.Phase.PRE) == [PRE]
    assert migrations.pending([PRE, POST], {1: PRE.sha256}, migrations.Phase.ALL) == [POST]


def test_altered_history_stops_everything():
    """A file that was edited after it was applied is named."""
    with pytest.raises(errors.Terminal, match=r"0001_pre_a\.sql: the file was changed"):
        migrations.pending([PRE, POST], {1: "other"}, migrations.Phase.ALL)


def test_a_newer_database_is_left_alone():
    """Old code does not guess about a schema it does not know."""
    with pytest.raises(errors.Terminal, match="unknown here"):
        migrations.pending([PRE], {1: PRE.sha256, 2: "x"}, migrations.Phase.ALL)


@pytest.mark.parametrize("names", [["1_pre_a.sql"], ["0001_mid_a.sql"], ["0002_pre_a.sql"]])
def test_misnamed_or_missing_files_are_refused(tmp_path, names):
    """Numbers run from 0001 without gaps, and the name says the phase."""
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(errors.Terminal):
        migrations.read(tmp_path)
