"""Which addresses of repositories are followed."""

import pytest

from decklog.adapters.git import location
from decklog.ports import mirror


@pytest.mark.parametrize(
    "address",
    [
        "https://forge.example/team/infra.git",
        "http://127.0.0.1:3000/infra",
        "ssh://git@forge.example:2222/team/infra.git",
        "git@forge.example:team/infra.git",
        "git://forge.example/infra",
        "file:///srv/git/infra.git",
        "/srv/git/infra with spaces.git",
    ],
)
def test_addresses_that_are_followed(address: str) -> None:
    """Every transport that git can be trusted with, and absolute paths."""
    assert location.check(address) == address


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("https://user:secret@forge.example/infra", "credentials"),
        ("https://token@forge.example/infra", "credentials"),
        ("ssh://git:secret@forge.example/infra", "credentials"),
        ("http://@forge.example/infra", "credentials"),
        ("ext::sh -c whoami", "spaces"),
        ("ext::whoami", "neither"),
        ("ftp://forge.example/infra", "transport"),
        ("--upload-pack=whoami", "neither"),
        ("-oProxyCommand=whoami:x", "neither"),
        ("ssh://-oProxyCommand=whoami/x", "no host"),
        ("~/infra", "neither"),
        ("../infra", "neither"),
        ("infra", "neither"),
        ("https:///infra", "no host"),
        ("https://forge.example/a\nb", "control"),
        ("", "neither"),
    ],
)
def test_addresses_that_are_refused(address: str, word: str) -> None:
    """Credentials, commands in disguise and paths that mean nothing to a service are refused, with a way out."""
    with pytest.raises(mirror.Unusable) as caught:
        location.check(address)
    assert caught.value.reason is mirror.Reason.INVALID_URL
    assert word in caught.value.problem
    assert caught.value.hint
    assert "secret" not in str(caught.value)
