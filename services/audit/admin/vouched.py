"""Reading the checkpoints and what others said of them, to audit it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from decklog.cli import trust
from decklog.model.tlog import checkpoint, keys, note, time_stamp
from services.audit.core import tally, vouching
from services.audit.core.auditing import Finding
from services.audit.publisher import tallying

_COSIGNATURES = """
SELECT c.size, c.cosigner, c.line, k.note FROM ledger.cosignature c LEFT JOIN ledger.checkpoint k USING (size)
ORDER BY 1, 2, c.number
"""

_STAMPS = """
SELECT t.size, t.authority, t.token, k.note FROM ledger.time_stamp t LEFT JOIN ledger.checkpoint k USING (size)
ORDER BY 1, 2
"""

_LINES = "SELECT line FROM ledger.cosignature WHERE size = $1"

_PREFETCH = 100


@dataclass(slots=True)
class Trusted:
    """Whose word can be verified: keys of the log, of witnesses by label, and who signs time stamps."""

    logs: Sequence[keys.VerifierKey] = ()
    witnesses: Mapping[str, keys.VerifierKey] = field(default_factory=dict)
    authority: time_stamp.Authority | None = None
    unverified: int = 0
    """Cosignatures and time stamps of others so far, which were looked at without verifying them."""


def trusted(policy_file: str, ca_file: str) -> Trusted:
    """What these files (empty: none) say whom to believe. Raises Misconfigured for one that cannot be read."""
    found = Trusted()
    if policy_file:
        rule = trust.of_policy(Path(policy_file))
        found.logs = rule.logs
        found.witnesses = {key.label: key for key in rule.witnesses.values()}
    if ca_file:
        found.authority = trust.of_time(Path(ca_file))
    return found


async def findings(connection: asyncpg.Connection, given: Trusted) -> AsyncIterator[Finding]:
    """What is wrong with the cosignatures and time stamps; counts those that could not be verified."""
    async for row in connection.cursor(_COSIGNATURES, prefetch=_PREFETCH, timeout=None):
        cosigned = vouching.Cosigned(*row)
        given.unverified += cosigned.cosigner not in given.witnesses
        if (found := vouching.cosignature_problem(cosigned, given.witnesses)) is not None:
            yield found
    async for row in connection.cursor(_STAMPS, prefetch=_PREFETCH, timeout=None):
        given.unverified += given.authority is None
        if (found := vouching.stamp_problem(vouching.Stamped(*row), given.authority)) is not None:
            yield found


async def lost(
    connection: asyncpg.Connection, served: note.Note, tree: checkpoint.Checkpoint
) -> AsyncIterator[Finding]:
    """Cosignatures that the published log serves and the database does not have."""
    kept = {row["line"] for row in await connection.fetch(_LINES, tree.size)}
    for found in vouching.lost_problems(served, tree, kept):
        yield found


async def uncounted(connection: asyncpg.Connection, counted: tally.Tally | None) -> AsyncIterator[Finding]:
    """Rows that are missing, or are not those that the log's folder counted (None: there is no folder to ask)."""
    for kind, rows in tallying.ROWS.items():
        compared = tally.Comparison(kind, None if counted is None else counted[kind])
        async for row in connection.cursor(f"{rows} ORDER BY number", prefetch=_PREFETCH, timeout=None):
            for problem in compared.row(tally.Row(*row)):
                yield Finding(None, problem)
        for problem in compared.end():
            yield Finding(None, problem)
