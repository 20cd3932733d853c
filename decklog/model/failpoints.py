"""Places where a test of crashes strikes; otherwise nothing happens there."""

from collections.abc import Callable

Failpoint = Callable[[str], None]
"""Called with the name of the place that is reached, such as `ledger.before_commit`."""


def none(_name: str) -> None:
    """Go on."""
