"""What a request for a sync says: to which commit, and how new what it knows is."""

from decklog.cli.views import requests
from decklog.client import answers
from tests.golden import cli_answers as given

FAILING: answers.Application = {**given.SHOP, "source_failure": given.UNREACHABLE}


def said(known: answers.Application = given.SHOP, commit: str = "", moved_us: int | None = None) -> str:
    return requests.requested(known, commit, dry_run=False, moved_us=moved_us, now=given.NOW)


def test_the_newest_known_commit_is_named_with_when_its_source_moved() -> None:
    text = said(moved_us=given.us("11:54:58"))
    assert text.startswith(
        "Sync of shop to 1a2b3c4d requested: the newest commit of main that is known of source infra"
    )
    assert "which moved last 5m ago" in text
    assert "decklog source --help" in text


def test_a_source_that_cannot_be_followed_may_have_newer_commits() -> None:
    """Nobody is told to wait for a poll that fails."""
    text = said(FAILING)
    assert "there is no repository at /srv/git/gone" in text
    assert "source --help" not in text


def test_where_no_commit_is_known_none_is_promised() -> None:
    assert said(given.NEW) == "Sync of new requested; no commit of infrastructure is known yet"


def test_a_commit_that_was_asked_for_is_named_alone() -> None:
    assert said(commit="ab" * 20) == "Sync of shop to abababab requested"
