"""How an application stands: the word for its sync status, and the counts it follows from."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.audit.core import claims, rows
from services.audit.core.leaf import Rank
from services.audit.core.rows import replace

Change = tuple[rows.ApplicationObject | None, rows.ApplicationObject | None]

COUNTED = ("modified", "missing", "extra", "unknown")
"""Verdicts that are counted under their own name; a desired object without a verdict counts as pending."""


def status(application: rows.Application) -> str:
    """`in_sync`, `drifted`, `behind`, `unknown` or `off`. Unknown is never in sync (DESIGN promise 2).

    In sync is said on evidence alone: a verdict on each object, and a word that those are all there are.
    """
    if (application.spec or {}).get("mode") == "off":
        return "off"
    if "render" in application.failures or application.unknown or application.rendered_leaf is None:
        return "unknown"
    if application.modified or application.missing or application.extra:
        return "drifted"
    if application.available_commit not in ("", application.rendered_commit):
        return "behind"
    compared = application.compared_digest == application.rendered_digest and under_declaration(application)
    return "in_sync" if compared and not application.pending else "unknown"


def under_declaration(application: rows.Application) -> bool:
    """Whether the application was compared under the declaration that counts now: its ignore rules decide verdicts."""
    return application.settings_digest in ("", application.compared_settings)


def settled(application: rows.Application) -> rows.Application:
    """The same row with what follows from its other fields.

    An application in sync is at the commit that was rendered last, also where nothing had to be written to get there.
    """
    word = status(application)
    synced = application.rendered_commit if word == "in_sync" else application.synced_commit
    if (word, synced) == (application.sync_status, application.synced_commit):
        return application
    return replace(application, sync_status=word, synced_commit=synced)


def compared(
    found: Iterable[rows.ApplicationObject], in_sync: int | None, rank: Rank
) -> Iterator[tuple[rows.ApplicationObject, rows.ApplicationObject]]:
    """The pending objects of an application that was compared as a whole, before and after: they are in sync.

    Whatever is not in sync has told so itself, before the whole was told. So if the objects that are known to be in
    sync and the pending ones are not as many as were counted, something is missing here, and nothing follows.

    Args:
        found: all objects of the application.
        in_sync: how many were counted; None if it is known that none is not.
        rank: of the word on the whole.
    """
    desired = [row for row in found if row.desired_digest]
    pending = [row for row in desired if not row.verdict and row.verdict_rank <= rank]
    known = sum(row.verdict == "in_sync" for row in desired)
    if in_sync is None or known + len(pending) == in_sync:
        for row in pending:
            yield row, replace(row, verdict="in_sync", verdict_rank=rank)


def counted(application: rows.Application, changes: Iterable[Change]) -> dict[str, Any]:
    """The fields of an application that are different after some of its objects changed: its counts, and its failures.

    Each change is an object's row before and after it, None where there is none.
    """
    deltas: dict[str, int] = {}
    failures = application.failures
    for before, after in changes:
        for name in _counts(before):
            deltas[name] = deltas.get(name, 0) - 1
        for name in _counts(after):
            deltas[name] = deltas.get(name, 0) + 1
        failures = _without_claim(failures, before, after)
    told: dict[str, Any] = {name: getattr(application, name) + number for name, number in deltas.items() if number}
    return told if failures is application.failures else {**told, "failures": failures}


def _without_claim(
    failures: Mapping[str, Any], before: rows.ApplicationObject | None, after: rows.ApplicationObject | None
) -> Mapping[str, Any]:
    """The failures once an object is unknown no longer: somebody else's object cannot be known."""
    known = failures.get("claim")
    if known is None or before is None or before.verdict != "unknown" or (after and after.verdict == "unknown"):
        return failures
    left = claims.judged(known, before.object)
    if left is known:
        return failures
    rest = {name: one for name, one in failures.items() if name != "claim"}
    return rest if left is None else {**rest, "claim": left}


def _counts(found: rows.ApplicationObject | None) -> tuple[str, ...]:
    """Under which names an object is counted."""
    if found is None:
        return ()
    if found.verdict in COUNTED:
        return "objects", found.verdict
    return ("objects", "pending") if not found.verdict and found.desired_digest else ("objects",)
