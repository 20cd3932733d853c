"""Whom audit-db believes: what the files say that it is named."""

import pytest

from decklog.client import failures
from services.audit.admin import vouched
from tests import log_files


@pytest.mark.parametrize("wrong", ["policy", "authority"])
def test_the_file_that_cannot_be_read_is_named(tmp_path, wrong):
    """Not the other one, though that has no witnesses to believe."""
    policy, authority = tmp_path / "policy", tmp_path / "authority"
    policy.write_text(f"log {log_files.VKEY}\nquorum none\n" if wrong == "authority" else "who knows\n")
    authority.write_text("no certificates\n")
    with pytest.raises(failures.Misconfigured) as caught:
        vouched.trusted(str(policy), str(authority))
    assert caught.value.where == str(tmp_path / wrong)


def test_without_files_nobody_is_believed():
    assert vouched.trusted("", "") == vouched.Trusted()
