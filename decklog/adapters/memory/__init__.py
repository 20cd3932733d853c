"""The ports in memory: second implementations, deterministic, that pass the same contract suites as the real ones.

Their weather is under the caller's control, so tests and the simulation decide when something breaks.
"""
