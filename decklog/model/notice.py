"""The kinds of notices, as the CLI, the API and the table `audit.notice` spell them."""

import enum


class Kind(enum.StrEnum):
    """What is the matter with a leaf: `docs/operating.md` says what to do about each."""

    CONFLICT = "conflict"
    POISON = "poison"
    GAP = "gap"
    PARTITION = "partition"
    CLOCK = "clock"
    LATE = "late"
