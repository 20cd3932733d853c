"""What would be erased, what was, and the legal holds that forbid it."""

from collections.abc import Sequence

from decklog.cli import moments, output, sheet
from decklog.cli.views import words
from decklog.client import ledger_answers
from decklog.model import leaf_ranges

_LEAVES = (
    sheet.Column("LEAF", right=True),
    sheet.Column("TIME"),
    sheet.Column("KIND"),
    sheet.Column("WHAT", fixed=False),
    sheet.Column("NAMED AS", fixed=False),
)
_COPIES = (sheet.Column("COPY", fixed=False), sheet.Column("GONE BY"))
_HOLDS = (
    sheet.Column("HOLD", fixed=False),
    sheet.Column("SINCE"),
    sheet.Column("BY", fixed=False),
    sheet.Column("REASON", fixed=False),
)
SHOWN = 20
"""Leaves, or ranges of them, that are listed before the rest is counted."""


def preview(found: Sequence[ledger_answers.Erasable], now: moments.Now) -> sheet.Sheet:
    """The leaves whose payloads would go."""
    return _leaves(found, now, "To be erased for ever")


def _leaves(found: Sequence[ledger_answers.Erasable], now: moments.Now, title: str) -> sheet.Sheet:
    rows = [
        (
            str(one["leaf"]),
            moments.brief(one["time_us"], now),
            one["kind"],
            one["type"] or "-",
            ", ".join(one["roles"]) or "-",
        )
        for one in found[:SHOWN]
    ]
    more = [("", "", "", f"and {len(found) - SHOWN} more", "")] if len(found) > SHOWN else []
    return sheet.Sheet(columns=_LEAVES, rows=[*rows, *more], title=title)


def unread(leaves: Sequence[int]) -> str:
    """Which leaves could not be searched for a person, and what to do about them."""
    counted = "1 leaf" if len(leaves) == 1 else f"{len(leaves)} leaves"
    what = f"{counted} cannot be searched for a person (poison): {_numbers(leaves)}"
    look = "`decklog notice list --kind poison` lists them, the dead-letter topic has their bytes"
    return f"{what}; {look}. Erase what is personal by leaf: decklog erase --event LEAF"


def leaves(numbers: Sequence[int]) -> str:
    """Leaves as a place: `leaf 5`, `leaves 5, 7`."""
    return f"{'leaf' if len(numbers) == 1 else 'leaves'} {_numbers(numbers)}"


def _numbers(leaves: Sequence[int]) -> str:
    """Leaves, those that follow one another as a range: they often came together."""
    ranges = leaf_ranges.of(leaves)
    shown = ", ".join(leaf_ranges.text(first, end) for first, end in ranges[:SHOWN])
    return shown + (" …" if len(ranges) > SHOWN else "")


def erased(
    found: Sequence[ledger_answers.Erasable], requests: Sequence[ledger_answers.ErasureAccepted], now: moments.Now
) -> output.Answer:
    """What was erased, and which copies are left elsewhere."""
    latest = latest_copies(requests)
    return output.Answer(
        value={"events": list(found), "requests": list(requests), "copies": latest},
        names=[one["event_id"] if one["kind"] == "event" else str(one["leaf"]) for one in found],
        blocks=lambda: [
            sheet.Facts(
                pairs=[
                    ("erased", words.count(len(found), "payload")),
                    *(("request", one["event_id"]) for one in requests),
                ]
            ),
            _leaves(found, now, "Erased for ever"),
            sheet.Sheet(
                columns=_COPIES,
                rows=[(one["where"], _gone(one, now)) for one in latest],
                title="Copies that are left",
            ),
        ],
    )


def latest_copies(requests: Sequence[ledger_answers.ErasureAccepted]) -> list[ledger_answers.Copy]:
    """Each place once, with the latest date that any request told."""
    found: dict[str, ledger_answers.Copy] = {}
    for one in (copy for request in requests for copy in request["copies"]):
        known = found.setdefault(one["where"], one)
        if None not in (known["gone_us"], one["gone_us"]):
            found[one["where"]] = max(known, one, key=lambda copy: copy["gone_us"] or 0)
        elif one["gone_us"] is None:
            found[one["where"]] = one
    return list(found.values())


def _gone(one: ledger_answers.Copy, now: moments.Now) -> sheet.Cell | str:
    if one["gone_us"] is not None:
        return moments.local(one["gone_us"], now)
    by_hand = "nobody says (DECKLOG_BACKUP_DAYS)" if one["where"].startswith("backups") else "never by itself"
    return sheet.Cell(by_hand, sheet.Tone.WARN)


def holds(found: Sequence[ledger_answers.Hold], now: moments.Now) -> output.Answer:
    """The legal holds that stand."""
    return output.Answer(
        value=list(found),
        names=[one["hold"] for one in found],
        blocks=lambda: [
            sheet.Sheet(
                columns=_HOLDS,
                rows=[
                    (one["hold"], moments.brief(one["placed_us"], now), words.actor(one["actor"]), one["reason"])
                    for one in found
                ],
                empty="No legal hold stands.",
            )
        ],
    )
