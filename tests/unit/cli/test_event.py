"""What `decklog show` says of a leaf that is no event."""

import datetime as dt
import json
from typing import Any

import pytest

from decklog.cli import moments
from decklog.cli.views import event
from decklog.model import receipt

NOW = moments.Now(1_800_000_000_000_000, dt.UTC)

PAID = (receipt.Kind.CONFLICT, receipt.Kind.POISON)
"""Kinds of leaves here that have a payload."""


def shown(kind: receipt.Kind, about: receipt.About | None, *, erased: bool = False) -> dict[str, str]:
    """The facts by name, and under `said` what the event says, of a leaf about `about`."""
    told = {"about": about and json.loads(receipt.about_text(about)), "commitment": "cd" if kind in PAID else None}
    found: dict[str, Any] = {"id": None, "type": "", "source": "", "subject": "", "time_us": None, "recorded_us": 1}
    found |= {"leaf": 9, "kind": kind.value, "leaf_hash": "ab", "cause": None, "data": None}
    found |= {"receipt": told, "payload": {"erased": erased, "length": 3, "sha256": None}}
    facts, said = event.single(found, NOW).blocks()  # type: ignore[arg-type]
    return {name: str(value) for name, value in facts.pairs} | {"said": str(said.lines[0])}


@pytest.mark.parametrize(
    ("kind", "about", "words"),
    [
        (receipt.Kind.CONFLICT, receipt.Original(2), "same id as leaf 2, other bytes"),
        (receipt.Kind.DUPLICATE, receipt.Original(2), "the same event as leaf 2, again"),
        (receipt.Kind.POISON, receipt.Poison("no key"), "no key"),
        (receipt.Kind.GAP, receipt.Gap(5, 9, "retention"), "offsets 5-8: retention"),
        (receipt.Kind.GAP, receipt.Gap(5, 6, "retention"), "offset 5: retention"),
        (receipt.Kind.GAP, receipt.Gap(5, None, "recreated"), "offsets 5-?: recreated"),
        (receipt.Kind.ERASURE, receipt.Erasure(((1, 2), (4, 7)), "Art. 17"), "leaves 1, 4-6: Art. 17"),
        (receipt.Kind.ROTATION, receipt.Rotation("log+1+a", "log+2+b"), "log+1+a beside log+2+b"),
    ],
)
def test_a_leaf_says_what_it_is_about(kind: receipt.Kind, about: receipt.About, words: str) -> None:
    """Who looks up a notice hears there which other leaf, which offsets, or why."""
    assert shown(kind, about)["about"] == words


@pytest.mark.parametrize("kind", [kind for kind in receipt.Kind if kind is not receipt.Kind.EVENT])
def test_a_leaf_that_says_nothing_of_others_is_shown_all_the_same(kind: receipt.Kind) -> None:
    """No sequencer writes one; somebody with its password may, and who looks at it must see it."""
    assert shown(kind, None)["about"] == ""


def test_why_there_is_nothing_to_read() -> None:
    """Erased is something else than a record that was never an event, and than a leaf of the log's own."""
    assert "a poison is not read" in shown(receipt.Kind.POISON, receipt.Poison("no key"))["said"]
    assert "it was erased" in shown(receipt.Kind.CONFLICT, receipt.Original(2), erased=True)["said"]
    gap = shown(receipt.Kind.GAP, receipt.Gap(5, 9, "retention"))
    assert ("it has no payload" in gap["said"], gap["payload"]) == (True, "")
