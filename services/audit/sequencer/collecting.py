"""Garbage collection of a process that sequences."""

import gc


def collect_rarely() -> None:
    """Look for cycles rarely.

    A batch is a hundred thousand small values without a cycle among them; looking for cycles as often as Python does by
    default took a third of the sequencer's time (bench/sequencing.py).
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
