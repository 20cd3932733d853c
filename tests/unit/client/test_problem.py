"""Whatever a server answers becomes a failure that says what happened, where, and what to do next."""

import pytest

from decklog.client import failures, problem
from decklog.model import errors


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, failures.Rejected),
        (401, failures.Unauthorised),
        (403, failures.Unauthorised),
        (404, failures.NotFound),
        (409, failures.Rejected),
        (422, failures.Rejected),
        (429, failures.Unavailable),
        (500, failures.Unavailable),
        (503, failures.Unavailable),
        (504, failures.TimedOut),
    ],
)
def test_a_status_says_what_the_caller_should_do(status: int, kind: type[errors.DecklogError]) -> None:
    assert isinstance(problem.failure(status, None, "GET /x"), kind)


def test_the_servers_own_words_come_first() -> None:
    body = {
        "title": "Conflict",
        "detail": "shop is declared in Git.",
        "where": "shop.yaml:3",
        "hint": "Edit it",
    }
    found = problem.failure(409, body, "PUT /x")
    assert (found.problem, found.where, found.hint) == ("shop is declared in Git", "shop.yaml:3", "Edit it")


def test_without_words_the_status_and_the_request_are_named() -> None:
    found = problem.failure(418, "teapot", "GET http://127.0.0.1/x")
    assert str(found) == "GET http://127.0.0.1/x: the server answered 418"


def test_a_refused_token_leads_to_the_file_that_holds_it() -> None:
    assert "DECKLOG_TOKEN_FILE" in problem.failure(401, {}, "GET /x").hint
