"""What is read of the files of salts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decklog.model.tlog import tiles
from services.audit.core import integration, recovery

SALTS = st.lists(st.none() | st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


def written(salts):
    """The file as the publisher writes it."""
    entries = [integration.Entry(number, b"{}", salt) for number, salt in enumerate(salts)]
    (file,) = (
        file
        for file in integration.partial(integration.Integrated(integration.NOTHING.edge, tuple(entries)))
        if file.path == integration.salts_path(tiles.Bundle(0, len(salts)))
    )
    return file.data


@given(SALTS)
def test_salts_are_read_as_they_were_written(salts):
    assert recovery.salts(written(salts), len(salts)) == salts


@given(SALTS, st.data())
def test_a_file_that_was_cut_or_is_of_another_number_is_refused(salts, data):
    whole = written(salts)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for changed, count in ((whole[:cut], len(salts)), (whole, len(salts) + 1), (whole + b"x", len(salts))):
        with pytest.raises(recovery.Unrecoverable):
            recovery.salts(changed, count)
