"""Quantities and durations of custom resources are compared by value, where their names tell that they are some."""

from decimal import Decimal

import pytest

from services.reconcile.core import compare, quantities
from tests import kube


def engine(**spec):
    return kube.obj("example.com/v1", "Engine", "e", spec=spec)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"),
        ("1000m", "1"),
        ("0.5", "0.5"),
        ("1Ki", "1024"),
        ("1k", "1000"),
        ("1e3", "1000"),
        ("-2", "-2"),
        ("5.", "5"),
    ],
)
def test_quantities(text, value):
    """After apimachinery's resource.Quantity."""
    assert quantities.quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "x", "1x", "1 m", "1e999", "--1", "1Kim", "9" * 100])
def test_what_is_no_quantity(text):
    """Compared as text, then."""
    assert quantities.quantity(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("1m", 60), ("60s", 60), ("1h0m0s", 3600), ("500ms", "0.5"), ("-1s", -1)]
)
def test_durations(text, seconds):
    """After Go's time.Duration."""
    assert quantities.duration(text) == Decimal(seconds)


@pytest.mark.parametrize(
    ("live", "wanted"),
    [
        (engine(resources={"requests": {"cpu": "1"}}), engine(resources={"requests": {"cpu": "1000m"}})),
        (engine(storage={"size": "1Gi"}), engine(storage={"size": "1024Mi"})),
        (engine(syncInterval="1m0s"), engine(syncInterval="60s")),
        (engine(pods=[{"memory": 1024}]), engine(pods=[{"memory": "1Ki"}])),
    ],
)
def test_the_same_value_in_another_spelling_is_no_difference(live, wanted):
    """A controller wrote it back in its own way."""
    assert quantities.align(live, wanted) == live
    assert compare.sides(kube.key("example.com/Engine/shop/e"), live, wanted, [])[1] == live


@pytest.mark.parametrize(
    ("live", "wanted"),
    [
        (engine(version="1.10"), engine(version="1.1")),
        (engine(size="1Gi"), engine(size="2Gi")),
        (engine(interval="1m"), engine(interval="2m")),
        (engine(paused="1"), engine(paused="1000m")),
        (engine(size=True), engine(size="1")),
        (kube.deployment(resources={"limits": {"cpu": "1"}}), kube.deployment(resources={"limits": {"cpu": "1000m"}})),
    ],
)
def test_everything_else_is_compared_as_it_stands(live, wanted):
    """Versions are no quantities, and the API server's own kinds are canonical already."""
    assert quantities.align(live, wanted) == wanted
