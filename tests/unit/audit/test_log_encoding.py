"""Who is sent entries packed with gzip: whoever says that they take it, and nobody who says that they do not."""

import pytest

from services.audit.api import tlog


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br, gzip;q=0.5", True),
        ("deflate, *", True),
        ("gzip ; q=1.000", True),
        ("*;q=0, gzip", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("br, *;q=0", False),
        ("notgzip", False),
        ("gzip;q=nan", False),
    ],
)
def test_gzip_is_sent_to_who_takes_it(said, taken):
    """RFC 9110, section 12.5.3: a weight of 0 is a refusal, and a coding by name counts before the asterisk."""
    assert tlog.takes_gzip(said) is taken
