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
    with nearest.suggesting("application", "shop", lambda: pytest.fail("asked without need")):
        pass
    with pytest.raises(failures.NotFound) as caught, nearest.suggesting("application", "shpo", lambda: ["shop"]):
        raise failures.NotFound("there is no application 'shpo'", where="GET /x")
    assert caught.value.hint == "Did you mean 'shop'?"


def test_a_name_with_capitals_is_asked_about_in_small_ones() -> None:
    assert nearest.hint("SHOP", ["blog", "shop"]) == "Did you mean 'shop'?"


def test_what_else_is_not_found_keeps_its_own_hint() -> None:
    """A sync of an application that exists to a commit that does not: the application's name is not to blame."""
    with pytest.raises(failures.NotFound) as caught, nearest.suggesting("application", "ok", lambda: ["ok"]):
        raise failures.NotFound("there is no commit of repo 'abcd'", hint="Push it")
    assert caught.value.hint == "Push it"
