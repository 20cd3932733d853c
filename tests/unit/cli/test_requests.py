"""What a request for a sync says: to which commit, and how new what it knows is."""

import pytest

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
    known: answers.Application = {**given.SHOP, "spec": {**given.SHOP["spec"], "mode": "detect"}}
    assert said(known, commit="ab" * 20) == "Sync of shop to abababab requested"


@pytest.mark.parametrize("mode", ["apply", "heal"])
def test_an_old_commit_that_the_mode_takes_back_is_said_to_be(mode: str) -> None:
    """Nobody is to find out by himself, a second later, that the newest commit is applied again."""
    known: answers.Application = {**given.SHOP, "spec": {**given.SHOP["spec"], "mode": mode}}
    text = said(known, commit="ab" * 20)
    assert f"mode {mode} applies 1a2b3c4d again by itself" in text
    assert "declare mode detect first, in apps/shop.yaml:12 of fleet@1a2b3c4d" in text
    by_api = said({**known, "origin": {"way": "api"}}, commit="ab" * 20)
    assert "set mode detect first (`decklog app set shop --mode detect`)" in by_api
    assert "again" not in said(known, commit=given.SHOP["available_commit"][:8])
    assert "again" not in requests.requested(known, "abab", dry_run=True, moved_us=None, now=given.NOW)


KEPT: answers.Failure = {
    "reason": "NotPruned",
    "message": "Secret shop/key is no longer in Git and was not pruned: nothing at all is left in Git",
    "hint": "Correct the path",
}


def test_what_a_sync_that_ended_well_left_alone_is_counted_with_the_first_reason() -> None:
    """Asked to prune, it pruned nothing: success is not all there is to say."""
    one: answers.SyncObject = {"object": "/Secret/shop/key", "outcome": "skipped", "failure": KEPT}
    done: answers.SyncObject = {"object": "/Secret/shop/other", "outcome": "pruned", "failure": None}
    text = requests.skipped([done, one, one])
    assert text.startswith("Note: 2 objects were skipped; the first: Secret shop/key is no longer in Git and was not")
    assert text.endswith("\n  next   Correct the path")
    assert requests.skipped([one]).startswith("Note: 1 object was skipped: Secret shop/key")
    assert requests.skipped([done]) == ""
