"""What the leaves of a log cover: every offset of Kafka, every commit of the followed sources."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from decklog.cli import sheet
from decklog.model import coverage, git_record, leaf_ranges
from decklog.verifier import finding, log, repository

_MOST_ROWS = 50
_ID = 12

_REASONS = {
    "absent": "no record there: a transaction marker, or compacted",
    "retention": "removed by retention before it was read",
    "recreated": "the topic was made anew; what was not read before is unknown",
}

Repositories = Mapping[str, repository.Compared]


def value(verdict: log.Verdict, repositories: Repositories) -> dict[str, Any]:
    """Everything as plain values; nothing where it was not asked for."""
    found = verdict.completeness
    if found is None:
        return {}
    return {
        "completeness": {
            "holes": [{"leaf": one.leaf, "where": one.path, "problem": one.problem} for one in verdict.holes],
            "partitions": [_partition(one) for one in found.offsets.stretches()],
            "sources": [_source(name, one, repositories.get(name)) for name, one in sorted(found.histories.items())],
            "histories_read": found.open is not None,
        }
    }


def blocks(verdict: log.Verdict, repositories: Repositories) -> Iterator[sheet.Block]:
    """The tables, and in words whether anything is missing."""
    found = verdict.completeness
    if found is None:
        return
    stretches = found.offsets.stretches()
    for cluster in sorted({one.cluster for one in stretches}):
        rows = [_row(one) for one in stretches if one.cluster == cluster]
        yield sheet.Sheet(columns=_PARTITIONS, rows=rows, title=f"Offsets of Kafka cluster {cluster}")
    gaps = [(one, gap) for one in stretches for gap in one.gaps]
    if gaps:
        more = f", the first {_MOST_ROWS} of {found.offsets.gaps}" if found.offsets.gaps > _MOST_ROWS else ""
        rows = [_gap_row(one, gap) for one, gap in gaps[:_MOST_ROWS]]
        yield sheet.Sheet(columns=_GAPS, rows=rows, title=f"Offsets that no record was read from{more}")
    if found.histories:
        histories = sorted(found.histories.items())
        rows = [_source_row(name, one, repositories.get(name)) for name, one in histories]
        yield sheet.Sheet(columns=_SOURCES, rows=rows, title="Commits of the followed sources")
        rows = [_ref_row(name, ref, one) for name, history in histories for ref, one in sorted(history.refs.items())]
        yield sheet.Sheet(columns=_REFS, rows=rows, title="Refs", empty="No move of a ref is recorded.")
    if verdict.holes:
        rows = [_hole_row(one) for one in verdict.holes]
        yield sheet.Sheet(columns=_HOLES, rows=rows, title="What is missing")
    yield sheet.Text([*_offset_words(found.offsets, found.uncovered), *_commit_words(verdict, repositories)])


_PARTITIONS = (
    sheet.Column("PARTITION"),
    sheet.Column("EPOCH", right=True),
    sheet.Column("OFFSETS", right=True),
    sheet.Column("EVENTS", right=True),
    sheet.Column("DUP", right=True),
    sheet.Column("CONF", right=True),
    sheet.Column("POISON", right=True),
    sheet.Column("GAPS", right=True),
)
_GAPS = (
    sheet.Column("PARTITION"),
    sheet.Column("EPOCH", right=True),
    sheet.Column("OFFSETS", right=True),
    sheet.Column("LEAF", right=True),
    sheet.Column("WHY", fixed=False),
)
_SOURCES = (
    sheet.Column("SOURCE", fixed=False),
    sheet.Column("COMMITS", right=True),
    sheet.Column("ROOTS", right=True),
    sheet.Column("HOLES", right=True),
    sheet.Column("ERASED", right=True),
    sheet.Column("IN THE REPOSITORY", fixed=False),
)
_REFS = (
    sheet.Column("SOURCE", fixed=False),
    sheet.Column("REF", fixed=False),
    sheet.Column("MOVES", right=True),
    sheet.Column("HEAD"),
)
_HOLES = (sheet.Column("LEAF", right=True), sheet.Column("WHERE", fixed=False), sheet.Column("WHAT", fixed=False))


def _partition(one: coverage.Stretch) -> dict[str, Any]:
    return {
        "cluster": one.cluster,
        "topic": one.topic,
        "epoch": one.epoch,
        "partition": one.partition,
        "covered_to": one.next_offset,
        "ended": one.ended,
        "holes": one.holes,
        "leaves": dict(sorted(one.kinds.items())),
        "gaps": [gap._asdict() for gap in one.gaps],
    }


def _source(name: str, one: git_record.History, compared: repository.Compared | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "source": name,
        "commits": len(one.commits),
        "roots": one.roots,
        "holes": one.holes,
        "erased": one.erased,
        "unknown": one.unknown,
        "unreached": one.unreached(),
        "refs": [
            {"ref": ref, "head": at.head, "moves": at.moves, "leaf": at.leaf, "holes": at.holes}
            for ref, at in sorted(one.refs.items())
        ],
        "repository": None,
    }
    if compared is not None:
        found["repository"] = {
            "listed": compared.listed,
            "missing": list(compared.missing),
            "only_recorded": compared.only_recorded,
            "lost_heads": list(compared.lost),
        }
    return found


def _row(one: coverage.Stretch) -> sheet.Row:
    covered = leaf_ranges.text(0, one.next_offset) if one.next_offset else "-"
    tone = sheet.Tone.BAD if one.holes else sheet.Tone.PLAIN
    kinds = [one.kinds[kind] for kind in ("event", "duplicate", "conflict", "poison", "gap")]
    return [sheet.Cell(one.name, tone), str(one.epoch), covered, *(str(count or "-") for count in kinds)]


def _gap_row(one: coverage.Stretch, gap: coverage.Gap) -> sheet.Row:
    why = _REASONS.get(gap.reason, gap.reason)
    return [one.name, str(one.epoch), leaf_ranges.text(gap.first, gap.end), str(gap.leaf), why]


def _source_row(name: str, one: git_record.History, compared: repository.Compared | None) -> sheet.Row:
    holes = sheet.Cell(str(one.holes or "-"), sheet.Tone.BAD if one.holes else sheet.Tone.PLAIN)
    return [name, str(len(one.commits)), str(one.roots), holes, str(one.erased or "-"), _compared(compared)]


def _compared(compared: repository.Compared | None) -> sheet.Cell | str:
    if compared is None:
        return "not compared"
    if compared.lost:
        return sheet.Cell(f"it lacks the head {compared.lost[0][:_ID]}", sheet.Tone.BAD)
    if compared.missing:
        return sheet.Cell(f"{len(compared.missing)} of {compared.listed} not recorded", sheet.Tone.BAD)
    return sheet.Cell(f"all {compared.listed} are recorded", sheet.Tone.GOOD)


def _ref_row(source: str, ref: str, one: git_record.Ref) -> sheet.Row:
    tone = sheet.Tone.BAD if one.holes else sheet.Tone.PLAIN
    return [source, sheet.Cell(ref, tone), str(one.moves), one.head[:_ID] or "deleted"]


def _hole_row(one: finding.Finding) -> sheet.Row:
    return ["" if one.leaf is None else str(one.leaf), one.path, sheet.Cell(one.problem, sheet.Tone.BAD)]


def _offset_words(found: coverage.Coverage, uncovered: int) -> Iterator[sheet.Cell]:
    stretches = found.stretches()
    holes = sum(one.holes for one in stretches)
    if holes or uncovered:
        unread = f", {uncovered} leaves cannot be read" if uncovered else ""
        yield sheet.Cell(f"Not complete: {_holes(holes)} in the offsets{unread}.", sheet.Tone.BAD)
    else:
        yield sheet.Cell(
            f"Complete: each offset of {len(stretches)} partitions is in one leaf, up to the last.", sheet.Tone.GOOD
        )

    if found.gaps:
        text = "What was at the offsets that no record was read from is not known."
        yield sheet.Cell(text, sheet.Tone.WARN)


def _holes(count: int) -> str:
    return "1 hole" if count == 1 else f"{count} holes"


def _commit_words(verdict: log.Verdict, repositories: Repositories) -> Sequence[sheet.Cell]:
    found = verdict.completeness
    assert found is not None  # noqa: S101 (the caller looked)
    if found.open is None:
        text = "Commits were not looked at: the copy has no payloads (ledger export --payloads)."
        return [sheet.Cell(text, sheet.Tone.WARN)]
    words: list[sheet.Cell] = []
    for name, one in sorted(found.histories.items()):
        words.append(_history_words(name, one, repositories.get(name)))
        words += [sheet.Cell(text, sheet.Tone.WARN) for text in _remarks(name, one, repositories.get(name))]
    return words


def _history_words(name: str, one: git_record.History, compared: repository.Compared | None) -> sheet.Cell:
    if one.holes:
        return sheet.Cell(f"Not complete: {_holes(one.holes)} in the history of {name}.", sheet.Tone.BAD)
    if compared is not None and compared.missing:
        return sheet.Cell(f"Not complete: git lists commits of {name} that are not recorded.", sheet.Tone.BAD)
    if compared is not None and compared.lost:
        return sheet.Cell(f"Not shown: the repository is not, or not all of, {name}.", sheet.Tone.BAD)
    if one.unknown:
        text = f"{name}: {one.unknown} commits or heads may be among the {one.erased} events that were erased."
        return sheet.Cell(text, sheet.Tone.WARN)
    return sheet.Cell(f"Complete: {name} is recorded from its heads down to the roots.", sheet.Tone.GOOD)


def _remarks(name: str, one: git_record.History, compared: repository.Compared | None) -> Iterator[str]:
    tips = one.unreached()
    if tips:
        yield f"{name}: no recorded move of a ref reaches {tips[0][:_ID]}{_more(len(tips) - 1)}."
    if compared is not None and compared.only_recorded and not compared.lost:
        yield f"{name}: {compared.only_recorded} recorded commits are reached by former heads alone."


def _more(count: int) -> str:
    return f" and {count} more" if count else ""
