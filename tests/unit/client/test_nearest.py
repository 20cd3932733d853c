"""A name that does not exist leads to one that does."""

import pytest

from decklog.client import failures, nearest


def test_the_nearest_name_is_asked_about() -> None:
    assert nearest.hint("shpo", ["blog", "shop"]) == "Did you mean 'shop'?"


def test_without_a_near_one_some_that_exist_are_named() -> None:
    assert nearest.hint("zzz", [f"app-{number}" for number in range(7)]).endswith("app-4 and 2 more")


def test_where_nothing_exists_the_way_to_begin_is_named() -> None:
    assert "decklog app create" in nearest.hint("shop", [])


def test_names_are_only_asked_for_when_one_is_not_found() -> None:
    with nearest.suggesting("shop", lambda: pytest.fail("asked without need")):
        pass
    with pytest.raises(failures.NotFound) as caught, nearest.suggesting("shpo", lambda: ["shop"]):
        raise failures.NotFound("there is no application 'shpo'", where="GET /x")
    assert caught.value.hint == "Did you mean 'shop'?"
