"""What protects the ledger in Postgres, and what was done to it: facts about tables and functions in, findings out."""

import hashlib
import itertools
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from services.audit.core import privileges
from services.audit.core.auditing import Finding
from services.audit.core.privileges import Held

_PARTITION = re.compile(r"(ledger\.(?:entry|payload))_p(\d{6})")
_PARTITIONED = ("ledger.entry", "ledger.payload")
_MOST_MISSING = 20
_OWNERS = {
    "ledger": "decklog_owner",
    **dict.fromkeys(("audit", "audit_rebuild", "audit_retired"), "decklog_projector"),
}
_STATES = {
    None: "its trigger append_only was dropped",
    "D": "its trigger append_only is disabled",
    "O": "its trigger append_only does not fire while triggers are off for replication (ENABLE ALWAYS)",
    "R": "its trigger append_only fires only while triggers are off for replication (ENABLE ALWAYS)",
}


class Table(NamedTuple):
    """A table, view or sequence of the schemas `ledger` and `audit`, or the table of migrations.

    `protected` says whether it must have the trigger, `enabled` in which state that is (`pg_trigger.tgenabled`, None
    without one), `usual` whether it fires when it must. `strangers` are triggers and rules that no migration made,
    `idle` what is there and Postgres was told not to look for.
    """

    schema: str
    name: str
    owner: str
    protected: bool
    enabled: str | None
    usual: bool
    strangers: tuple[str, ...]
    idle: tuple[str, ...]
    row_security: bool
    unlogged: bool
    stored: bool
    """Whether its rows are its own, where they must be."""
    announces: bool
    """Whether everybody is told when it grows, where they must be."""

    @property
    def where(self) -> str:
        """Its name as SQL has it."""
        return f"{self.schema}.{self.name}"


class Definition(NamedTuple):
    """How a function or view is defined, as the server writes it, and to whom it belongs (None: told elsewhere)."""

    text: str
    owner: str | None = None


class Applied(NamedTuple):
    """A migration, as the table of those that were applied has it; `sha256` of its file, in hex.

    `later`: it may be applied once no older process is left.
    """

    number: int
    name: str
    sha256: str
    later: bool = False


class Foreign(NamedTuple):
    """Something in the database that no migration made. `named` is its kind and exact name, `digest` of all it does."""

    named: str
    problem: str
    digest: str

    @property
    def excuse(self) -> str:
        """What an operator says who knows it: this thing, as it is now."""
        return f"{self.named} {self.digest}"


def foreign(named: str, problem: str, *does: str) -> Foreign:
    """A thing that no migration made; `does` is all that it is and does, and never shown.

    What was told is part of the digest: an excuse never covers what its finding did not say.
    """
    return Foreign(named, problem, hashlib.sha256("\n".join([problem, *does]).encode()).hexdigest()[:32])


def table_findings(tables: Iterable[Table], roles: Iterable[str]) -> Iterator[Finding]:
    """What was done to tables: triggers, rules, row-level security, owners. `roles` are those that exist."""
    known = set(roles)
    for table in tables:
        for problem in _table_problems(table):
            yield Finding(None, f"{table.where} {problem}")
        yield from _owner_problem(table.where, table.schema, table.owner, known)


def _table_problems(table: Table) -> Iterator[str]:
    if table.protected and table.enabled in _STATES:
        yield f"is not protected: {_STATES[table.enabled]}"
    elif table.protected and not table.usual:
        yield "is not protected: its trigger append_only was replaced by another"
    for stranger in table.strangers:
        yield f"has a {stranger} that is not ours: what is written or read may not be what was meant"
    for kind in table.idle:
        yield f"has {kind} that Postgres does not use: its row in the catalogues denies them"
    if table.row_security:
        yield "has row-level security: it may hide rows"
    if not table.stored:
        yield "is no table any more: it shows what is elsewhere"
    if not table.announces:
        yield "tells nobody that it grows: its trigger announce_head was dropped, disabled or replaced"
    if table.unlogged:
        yield "is unlogged: a crash empties it"


def grant_findings(held: Iterable[Held], owners: Collection[tuple[str, str]]) -> Iterator[Finding]:
    """Who may do what only the owner should be able to do; `owners` by schema."""
    parts = {part.role: part for part in privileges.Part}
    for one in held:
        if (one.schema, one.grantee) not in owners:
            for excess in privileges.too_much(parts.get(one.grantee), [one]):
                grantee = one.grantee or "everybody"
                yield Finding(None, f"{grantee} {excess.problem}: {excess.remedy}")


def definition_findings(
    kind: str, shipped: Mapping[str, Definition], found: Mapping[str, Definition], roles: Iterable[str] = ()
) -> Iterator[Finding]:
    """Functions or views that are not those that the migrations made, or belong to somebody else."""
    known = set(roles)
    for name in sorted(shipped.keys() | found.keys()):
        if name not in found:
            yield Finding(None, f"{kind} {name} is gone")
        elif name not in shipped:
            yield Finding(None, f"{kind} {name} is not ours")
        elif shipped[name].text != found[name].text:
            yield Finding(None, f"{kind} {name} is not the one of this release: it was replaced")
        if name in found:
            yield from _owner_problem(f"{kind} {name}", name.partition(".")[0], found[name].owner, known)


def schema_findings(owners: Mapping[str, str], expected: Iterable[str], roles: Iterable[str]) -> Iterator[Finding]:
    """Schemas that are gone or belong to somebody else; `owners` by schema."""
    known = set(roles)
    for name in sorted(set(expected) - owners.keys()):
        yield Finding(None, f"schema {name} is gone")
    for name, owner in sorted(owners.items()):
        yield from _owner_problem(f"schema {name}", name, owner, known)


def _owner_problem(named: str, schema: str, owner: str | None, roles: Collection[str]) -> Iterator[Finding]:
    expected = _OWNERS.get(schema)
    if owner is not None and expected in roles and owner != expected:
        yield Finding(None, f"{named} belongs to {owner}, not to {expected}")


def foreign_findings(found: Iterable[Foreign], known: Collection[str]) -> Iterator[Finding]:
    """What no migration made and may do harm; of what is `known`, in the very words of its excuse, nothing is said."""
    for one in found:
        if one.excuse not in known:
            yield Finding(None, f"{one.problem}; if your provider brought it: --known {shlex.quote(one.excuse)}")


def excused(found: Iterable[Foreign], known: Iterable[str]) -> tuple[list[str], list[str]]:
    """Of the excuses that were given: what they excuse, and those that fit nothing."""
    there = {one.excuse: one.problem for one in found}
    given = list(dict.fromkeys(known))
    return [there[one] for one in given if one in there], [one for one in given if one not in there]


def shape_findings(
    shipped: Mapping[str, Collection[str]], found: Mapping[str, Collection[str]], bounds: Mapping[str, str], width: int
) -> Iterator[Finding]:
    """Columns, keys and checks of tables that are not those of this release, one line each; partitions are as the table
    that they are of, and take `width` leaves each (`bounds`, as SQL says it).
    """
    for name in sorted(shipped.keys() - found.keys()):
        yield Finding(None, f"table {name} is gone")
    for name in sorted(found):
        part = _PARTITION.fullmatch(name)
        whole = name if part is None else part[1]
        if whole not in shipped:
            yield Finding(None, f"table {name} is not ours")
            continue
        made = {line for line in shipped[whole] if part is None or not line.startswith("PARTITION BY ")}
        for line in sorted(made - set(found[name])):
            yield Finding(None, f"{name} lacks what this release gives it: {line}")
        for line in sorted(set(found[name]) - made):
            yield Finding(None, f"{name} has what is not ours: {line}")
        if part is not None:
            first = int(part[2]) * width
            expected = f"FOR VALUES FROM ('{first}') TO ('{first + width}')"
            if (bound := bounds.get(name, "nowhere")) != expected:
                yield Finding(None, f"partition {name} is attached {bound}, and not {expected}")


def migration_findings(shipped: Iterable[Applied], applied: Iterable[Applied]) -> Iterator[Finding]:
    """Whether the migrations of this release are said to be applied, and no others: by that services start."""
    known, found = {one.number: one for one in shipped}, {one.number: one for one in applied}
    for number, one in sorted(known.items()):
        if number not in found and not one.later:
            yield Finding(None, f"public.decklog_migration does not have {one.name}")
        elif number in found and found[number] != one._replace(later=False):
            yield Finding(None, f"public.decklog_migration says something else of {one.name} than this release")
    for number in sorted(found.keys() - known.keys()):
        yield Finding(None, f"public.decklog_migration has number {number}, which is not of this release")


def partition_findings(size: int, width: int, attached: Iterable[tuple[str, str, bool]]) -> Iterator[Finding]:
    """Partitions that must be there for a ledger of `size` leaves, two ahead of the head; and tables that are read with
    one of ours (`attached` to it, or, False, it to them) and are no partition of it.
    """
    there = {(parent, child): ours for parent, child, ours in attached}
    expected = ((p, f"{p}_p{number:06}") for number in range(size // width + 3) for p in _PARTITIONED)
    # The size is what the head says, and may be anything.
    for parent, child in itertools.islice((one for one in expected if one not in there), _MOST_MISSING):
        yield Finding(None, f"partition {child} is not attached to {parent}")
    for (parent, child), ours in sorted(there.items()):
        if not ours:
            yield Finding(None, f"{child} is part of {parent}, which is not ours: what is deleted there is gone here")
        elif parent not in _PARTITIONED or re.fullmatch(re.escape(parent) + r"_p\d{6}", child) is None:
            yield Finding(None, f"{child} is read together with {parent}, and is not ours")
