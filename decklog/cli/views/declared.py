"""Clusters and sources: the lists."""

from collections.abc import Sequence

from decklog.cli import moments, output, sheet
from decklog.cli.views import words
from decklog.client import answers

_CLUSTERS = (
    sheet.Column("NAME", fixed=False),
    sheet.Column("CONTEXT", fixed=False),
    sheet.Column("IDENTITY"),
    sheet.Column("DECLARED IN", fixed=False),
)
_SOURCES = (
    sheet.Column("NAME", fixed=False),
    sheet.Column("URL", fixed=False),
    sheet.Column("REFS", fixed=False),
    sheet.Column("STATE"),
    sheet.Column("MOVED", right=True),
)


def clusters(found: Sequence[answers.Cluster]) -> output.Answer:
    """All clusters, and whether their names still stand for what they did."""
    return output.Answer(
        value=list(found),
        names=[one["name"] for one in found],
        blocks=lambda: [
            sheet.Sheet(
                columns=_CLUSTERS,
                rows=[_cluster(one) for one in found],
                empty="No cluster is declared. Declare one in the fleet repository: kind: Cluster",
            ),
            *words.failures((one["name"], "", _unconfirmed(one)) for one in found if _is_another(one)),
        ],
    )


def _cluster(one: answers.Cluster) -> sheet.Row:
    return (
        one["name"],
        words.spec(one["spec"], "context") or sheet.quiet("(in-cluster)"),
        _identity(one),
        sheet.quiet(words.place(one["origin"])),
    )


def _is_another(one: answers.Cluster) -> bool:
    """Whether the name points at another cluster than the confirmed one."""
    return bool(one["seen_uid"]) and one["seen_uid"] != one["confirmed_uid"]


def _unconfirmed(one: answers.Cluster) -> answers.Failure:
    return {
        "reason": "ClusterUnconfirmed",
        "message": f"it is now {one['seen_uid']}, not {one['confirmed_uid']} as confirmed; nothing is written to it",
        "hint": f"if that is meant: decklog cluster confirm {one['name']} --uid {one['seen_uid']}",
    }


def _identity(one: answers.Cluster) -> sheet.Cell:
    if not one["seen_uid"]:
        return sheet.Cell("never seen", sheet.Tone.WARN)
    if _is_another(one):
        return sheet.Cell("another cluster", sheet.Tone.BAD)
    return sheet.Cell("confirmed", sheet.Tone.GOOD)


def sources(found: Sequence[answers.Source], now: moments.Now) -> output.Answer:
    """All sources, and below them why those that cannot be followed cannot."""
    return output.Answer(
        value=list(found),
        names=[one["name"] for one in found],
        blocks=lambda: [
            sheet.Sheet(
                columns=_SOURCES,
                rows=[_source(one, now) for one in found],
                empty="No source is declared. `decklog app create … --repo URL` declares one.",
            ),
            *words.failures((one["name"], "", failure) for one in found if (failure := _failing(one))),
        ],
    )


def _failing(one: answers.Source) -> answers.Failure | None:
    """Why it cannot be followed. One that the API declared by mistake can be removed by whoever reads this."""
    failure = one["failure"]
    if failure is None or not one["origin"].get("request_id") or failure.get("refs"):
        return failure
    way_out = f"if it is a mistake: decklog source delete {one['name']}"
    return {**failure, "hint": "; ".join(filter(None, [failure["hint"], way_out]))}


def _source(one: answers.Source, now: moments.Now) -> sheet.Row:
    refs = [words.ref(ref) for ref in (one["spec"] or {}).get("refs", [])]
    moved = moments.age(one["moved_us"], now) if one["moved_us"] else "-"
    return (one["name"], words.spec(one["spec"], "url"), ", ".join(refs) or "HEAD", _state(one), moved)


def _state(one: answers.Source) -> sheet.Cell:
    failure = one["failure"]
    if failure is None:
        return sheet.Cell("followed", sheet.Tone.GOOD)
    return sheet.Cell("lacks a ref", sheet.Tone.WARN) if failure.get("refs") else sheet.Cell("failing", sheet.Tone.BAD)
