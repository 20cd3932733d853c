"""A seed is a plan: always the same one, readable, and over many seeds every kind of act comes up."""

import typing

from tests.simulation import schedule


def test_the_same_seed_is_the_same_plan() -> None:
    """Drawing twice gives equal plans; another seed gives another."""
    assert schedule.draw(7) == schedule.draw(7)
    assert schedule.draw(7) != schedule.draw(8)


def test_plans_are_in_order_and_end_with_the_storm() -> None:
    """Nothing befalls a run after the storm."""
    for seed in range(50):
        moments = [one.at for one in schedule.draw(seed).acts]
        assert moments == sorted(moments)
        assert moments[-1] <= schedule.STORM_SECONDS


def test_every_act_comes_up() -> None:
    """The 200 seeds of `make test` hold every kind of act."""
    drawn = {type(one.act) for seed in range(200) for one in schedule.draw(seed).acts}
    assert drawn == set(typing.get_args(schedule.Act))
