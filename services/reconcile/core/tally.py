"""An application compared as a whole: how many of its objects stand how, and whether that is news.

Objects that are equal to Git say nothing of themselves, so somebody must say that all of them were looked at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.reconcile.core import compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a comparison as a whole came to.

    Attributes:
        commit: what was rendered.
        desired_digest: of the desired set; empty if another one was rendered since this was told.
        settings_digest: of the declaration under which it was compared.
        counts: how many objects have which verdict.
    """

    commit: str
    desired_digest: str
    settings_digest: str
    counts: Mapping[compare.Verdict, int]

    @property
    def unknown(self) -> bool:
        """Whether something could not be told."""
        return self.counts.get(compare.Verdict.UNKNOWN, 0) > 0


def count(comparisons: Iterable[compare.Comparison]) -> dict[compare.Verdict, int]:
    """How many have which verdict; each verdict is named, with 0 if need be."""
    counts = dict.fromkeys(compare.Verdict, 0)
    for one in comparisons:
        counts[one.verdict] += 1
    return counts


def is_news(told: Tally | None, now: Tally) -> bool:
    """Whether a comparison is worth telling: the first under a revision or a declaration, or the first without doubt.

    What changes later in single objects is told by their own drift.
    """
    if told is None:
        return True
    moved = (told.commit, told.desired_digest, told.settings_digest) != (
        now.commit,
        now.desired_digest,
        now.settings_digest,
    )
    return moved or (told.unknown and not now.unknown)
