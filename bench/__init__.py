"""What the README claims, measured: each script prints its figures beside a peer or a limit. Not in the product."""

from decklog import native

NATIVE = native.kernel is not None
"""Whether what every event passes through is in C (`decklog.native`)."""
