"""Applications: the list, one in detail, and what a command to one brought about."""

from collections.abc import Sequence

from decklog.cli import moments, output, sheet
from decklog.cli.views import words
from decklog.client import answers

_COLUMNS = (
    sheet.Column("NAME", fixed=False),
    sheet.Column("SYNC"),
    sheet.Column("HEALTH"),
    sheet.Column("REVISION"),
    sheet.Column("MODE"),
    sheet.Column("SYNCED", right=True),
    sheet.Column("DRIFT", right=True),
)
_OBJECT_COLUMNS = (
    sheet.Column("OBJECT", fixed=False),
    sheet.Column("VERDICT"),
    sheet.Column("HEALTH"),
    sheet.Column("DECLARED IN", fixed=False),
)
_EMPTY = "No application is declared yet: see decklog app create --help"


def listing(
    found: Sequence[answers.Application], refused: Sequence[answers.Refusal], now: moments.Now
) -> output.Answer:
    """All applications, and below them why those that fail do, and which declarations do not count."""
    return output.Answer(
        value=list(found),
        names=[one["name"] for one in found],
        blocks=lambda: [
            sheet.Sheet(columns=_COLUMNS, rows=[_row(one, now) for one in found], empty=_EMPTY),
            *words.failures((one["name"], what, failure) for one in found for what, failure in _failures(one)),
            *_notes([f"{one['name']}: {note}" for one in found if (note := _nothing_declared(one))]),
            *words.failures(
                (
                    ("", f"{one['kind'] or 'document'} {one['name']}".strip(), one["failure"])
                    for one in refused
                    if one["failure"]
                ),
                title="Declarations that do not count",
            ),
        ],
    )


def _notes(lines: Sequence[str]) -> list[sheet.Block]:
    return [sheet.Prose(lines=[sheet.Cell(line, sheet.Tone.WARN) for line in lines], title="Notes")] if lines else []


def _nothing_declared(one: answers.Application) -> str:
    """In sync and healthy is easy with nothing to deliver, and a wrong path far more often than a wish."""
    if not one["rendered_commit"] or one["objects"] > one["extra"] or "render" in one["failures"]:
        return ""
    folder = words.spec(one["spec"], "path") or "the root"
    source, commit = words.spec(one["spec"], "source"), words.commit(one["rendered_commit"])
    kept = "; therefore nothing is pruned" if one["extra"] else ""
    return f"nothing is declared there: 0 objects in {folder} of {source} at {commit}{kept}"


def _row(one: answers.Application, now: moments.Now) -> sheet.Row:
    drifted = _drifted(one)
    return (
        one["name"],
        sheet.word(one["sync_status"]),
        sheet.word(one["health"]),
        words.revision(one["synced_commit"], one["available_commit"]),
        words.spec(one["spec"], "mode") or "-",
        moments.age(one["synced_us"], now) if one["synced_us"] else "-",
        sheet.Cell(str(drifted), sheet.Tone.WARN) if drifted else "0",
    )


def _failures(one: answers.Application) -> list[tuple[str, answers.Failure]]:
    """What keeps an application from being as declared, failures of what it names included."""
    source = f"source {words.spec(one['spec'], 'source')}"
    named = [(source, one["source_failure"]), (f"cluster {one['cluster']}", one["cluster_failure"])]
    return [*sorted(one["failures"].items()), *((what, failure) for what, failure in named if failure)]


def _drifted(one: answers.Application) -> int:
    return one["modified"] + one["missing"] + one["extra"] + one["unknown"]


def single(one: answers.ApplicationDetail, now: moments.Now) -> output.Answer:
    """One application: what is declared, how it compares, how it is, and each of its objects."""
    return output.Answer(
        value=one,
        names=[one["name"]],
        blocks=lambda: [
            _facts(one, now),
            *words.failures(("", what, failure) for what, failure in [*_failures(one), *_of_objects(one)]),
            *words.failures(_refused(one["refusal"]), title="Another declaration of it that does not count"),
            sheet.Sheet(
                columns=_OBJECT_COLUMNS,
                rows=[_object_row(found) for found in one["object_list"]],
                title="Objects",
                empty="There is none." if _nothing_declared(one) else "None is known yet.",
            ),
            *_messages(one["object_list"]),
        ],
    )


def _refused(found: answers.Refusal | None) -> list[tuple[str, str, answers.Failure]]:
    return [("", "", found["failure"])] if found and found["failure"] else []


def _of_objects(one: answers.ApplicationDetail) -> list[tuple[str, answers.Failure]]:
    """What keeps single objects from being as declared, but for what ended the sync and so is told already."""
    known = {(failure.get("object"), failure["message"]) for _, failure in _failures(one)}
    return [
        (words.kubernetes_object(found["object"]), found["failure"])
        for found in one["object_list"]
        if found["failure"] and (found["object"], found["failure"]["message"]) not in known
    ]


def _facts(one: answers.ApplicationDetail, now: moments.Now) -> sheet.Facts:
    declared = one["spec"]
    pairs: list[tuple[str, sheet.Cell | str]] = [
        ("application", one["name"]),
        ("declared in", words.place(one["origin"])),
        ("by", words.actor(one["actor"])),
        ("source", f"{words.spec(declared, 'source')} {words.ref(words.spec(declared, 'ref'))}".strip()),
        ("path", words.spec(declared, "path") or "(the root)"),
        ("destination", "/".join(filter(None, [one["cluster"], words.spec(declared, "destNamespace")]))),
        ("mode", _mode(one)),
        ("owner", words.spec(declared, "owner")),
        ("sync", sheet.word(one["sync_status"])),
        ("revision", words.revision(one["synced_commit"], one["available_commit"])),
        ("last sync", _last_sync(one, now)),
        ("because", _because(one)),
        ("health", _health(one)),
        ("objects", _counts(one)),
        ("note", sheet.Cell(_nothing_declared(one), sheet.Tone.WARN)),
    ]
    return sheet.Facts(pairs=pairs)


def _mode(one: answers.Application) -> str:
    mode = words.spec(one["spec"], "mode") or "-"
    return f"{mode}, prunes" if (one["spec"] or {}).get("prune") else mode


def _last_sync(one: answers.Application, now: moments.Now) -> str:
    if not one["sync_us"]:
        return "never"
    return f"{one['sync_outcome'] or 'running'}, {moments.full(one['sync_us'], now)}"


def _because(one: answers.ApplicationDetail) -> str:
    """Why the last sync ran: its trigger, and the event that led to it."""
    last = next((sync for sync in one["syncs"] if sync["sync_id"] == one["sync_id"]), None)
    if last is None:
        return ""
    leaf = f" (leaf {last['cause_leaf']})" if last["cause_leaf"] is not None else ""
    return ": ".join(filter(None, [last["trigger"], words.masked(last["cause_summary"] or "")])) + leaf


def _health(one: answers.Application) -> sheet.Cell:
    found = sheet.word(one["health"])
    return sheet.Cell(": ".join(filter(None, [found.text, one["health_message"]])), found.tone)


def _counts(one: answers.Application) -> str:
    words_of_drift = [f"{one[name]} {name}" for name in ("modified", "missing", "extra", "unknown") if one[name]]
    return ", ".join([str(one["objects"]), *words_of_drift])


def _object_row(found: answers.ApplicationObject) -> sheet.Row:
    line = f":{found['line']}" if found["line"] else ""
    return (
        words.kubernetes_object(found["object"]),
        sheet.word(found["verdict"]),
        sheet.word(found["health"]),
        sheet.quiet(f"{found['file']}{line}" if found["file"] else "-"),
    )


def _messages(objects: Sequence[answers.ApplicationObject]) -> list[sheet.Block]:
    """What the objects themselves say, where they say something."""
    lines = [
        sheet.Cell(
            f"{words.kubernetes_object(found['object'])}: {found['health_message']}", sheet.word(found["health"]).tone
        )
        for found in objects
        if found["health_message"] and found["health"] != "healthy"
    ]
    return [sheet.Prose(lines=lines, title="Messages")] if lines else []
