"""What the login of each part of audit may do, and what more it must not be able to do.

Pure: facts about a login in, findings out, each with the statement that puts it right. Triggers and grants stop whoever
has no more rights than these; a superuser, or the owner of the tables, could switch them off, so no part runs as one.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple


class Part(enum.Enum):
    """A part of audit that logs in by itself; the value names its group role, `decklog_<value>`."""

    WRITER = "writer"
    PROJECTOR = "projector"
    ERASER = "eraser"
    API = "api"

    @property
    def role(self) -> str:
        """The group role whose rights it has."""
        return f"decklog_{self.value}"

    @property
    def variable(self) -> str:
        """The setting of audit that holds its URI."""
        return f"DECKLOG_POSTGRES_{self.name}"


class Excess(NamedTuple):
    """Something that a login may do and must not, or must and may not; and the statement that puts it right."""

    problem: str
    remedy: str


class Attribute(NamedTuple):
    """An attribute of a role that the login is, or can become (`SET ROLE`)."""

    role: str
    attribute: str


class Owned(NamedTuple):
    """A thing that belongs to a role that the login is or can become. `kind` as in ALTER: TABLE, SCHEMA, …"""

    kind: str
    name: str
    owner: str


class Held(NamedTuple):
    """A privilege on a thing, granted to a role that the login is or can become, or to PUBLIC (an empty string)."""

    kind: str
    schema: str
    name: str
    privilege: str
    grantee: str

    @property
    def where(self) -> str:
        """The thing as SQL names it."""
        return self.name if self.kind == "SCHEMA" else f"{self.schema}.{self.name}"


class Facts(NamedTuple):
    """All that is known of a login. `memberships` are the roles it can become."""

    login: str
    attributes: Sequence[Attribute]
    memberships: Sequence[str]
    owned: Sequence[Owned]
    held: Sequence[Held]
    missing: Sequence[tuple[str, str]]
    """Privileges that its part needs and that it lacks: (privilege, thing)."""


REMEDIES: Mapping[str, str] = {
    "SUPERUSER": "is a superuser",
    "CREATEROLE": "may make roles",
    "CREATEDB": "may make databases",
    "REPLICATION": "may read the whole server as a replica",
    "BYPASSRLS": "passes by row-level security",
}
"""Attributes of a role that none of our logins may have, in words."""

POWERS = frozenset(
    {
        "pg_write_all_data",
        "pg_read_all_data",
        "pg_read_server_files",
        "pg_write_server_files",
        "pg_execute_server_program",
        "pg_maintain",
        "pg_create_subscription",
    }
)
"""Predefined roles that can change what the ledger holds, read its payloads with their salts, or reach its files."""

LEDGER = "ledger"
_CHANGED_IN_PLACE = frozenset({"head", "position"})
_APPENDS = frozenset({Part.WRITER, Part.ERASER})

NEEDED: Mapping[Part, Sequence[tuple[str, str]]] = {
    Part.WRITER: (
        *(("INSERT", f"ledger.{table}") for table in ("entry", "payload", "source", "dedup", "checkpoint")),
        *(("INSERT", f"ledger.{table}") for table in ("cosignature", "time_stamp", "missing")),
        ("UPDATE", "ledger.head"),
        ("UPDATE", "ledger.position"),
    ),
    Part.PROJECTOR: (
        ("SELECT", "ledger.entry"),
        ("SELECT", "ledger.payload"),
        ("SELECT", "ledger.head"),
        ("UPDATE", "audit.cursor"),
    ),
    Part.ERASER: (("INSERT", "ledger.entry"), ("UPDATE", "ledger.head"), ("UPDATE", "ledger.position")),
    Part.API: (
        ("SELECT", "ledger.entry"),
        ("SELECT", "ledger.payload"),
        ("SELECT", "ledger.checkpoint"),
        ("SELECT", "ledger.cosignature"),
        ("SELECT", "ledger.time_stamp"),
        ("SELECT", "audit.timeline"),
    ),
}
"""Without any of these a part cannot work; (privilege, table)."""


def excesses(part: Part, facts: Facts) -> list[Excess]:
    """Why a part must not run with this login; empty if it may."""
    powers = [one for one in facts.attributes if one.attribute == "SUPERUSER" and one.role == facts.login]
    if powers:
        # Everything else follows from this, and would only hide it.
        return [_attribute(facts.login, one) for one in powers]
    # What comes by a role that must go anyway would only hide that.
    others = {role for role in facts.memberships if _is_anothers(part, role)}
    held = [one for one in facts.held if one.grantee not in others]
    found = (
        *(_attribute(facts.login, one) for one in facts.attributes),
        *_memberships(part, facts),
        *(_owned(facts.login, one) for one in facts.owned if not _may_own(part, one)),
        *too_much(part, held),
        *(_lack(part, facts.login, *one) for one in facts.missing),
    )
    return list(_once(found))


def _once(found: Iterable[Excess]) -> Iterator[Excess]:
    """What one statement puts right is told once."""
    together: dict[str, list[str]] = {}
    for one in found:
        together.setdefault(one.remedy, []).append(one.problem)
    for remedy, problems in together.items():
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        yield Excess(problems[0] + more, remedy)


def _attribute(login: str, found: Attribute) -> Excess:
    if found.role == login:
        return Excess(REMEDIES[found.attribute], f"ALTER ROLE {quoted(login)} NO{found.attribute}")
    problem = f"can become {found.role}, which {REMEDIES[found.attribute]}"
    return Excess(problem, f"REVOKE {quoted(found.role)} FROM {quoted(login)}")


def _memberships(part: Part, facts: Facts) -> Iterator[Excess]:
    for role in facts.memberships:
        if role in POWERS or _is_anothers(part, role):
            yield Excess(f"belongs to {role}", f"REVOKE {quoted(role)} FROM {quoted(facts.login)}")


def _is_anothers(part: Part, role: str) -> bool:
    return any(role == other.role for other in Part if other is not part)


def _may_own(part: Part, thing: Owned) -> bool:
    """The projector makes its own tables anew; nobody owns anything of the ledger, or the database."""
    return part is Part.PROJECTOR and thing.name.partition(".")[0] in {"audit", "audit_rebuild", "audit_retired"}


def _owned(login: str, thing: Owned) -> Excess:
    if thing.owner == login:
        heir = "decklog_projector" if thing.name.startswith("audit") else "decklog_owner"
        return Excess(f"owns {thing.name}", f"ALTER {thing.kind} {thing.name} OWNER TO {heir}")
    problem = f"can become {thing.owner}, which owns {thing.name}"
    return Excess(problem, f"REVOKE {quoted(thing.owner)} FROM {quoted(login)}")


def login(part: Part, database: str) -> str:
    """What the login of a part for a database is called: logins belong to the whole server."""
    return f"{part.role}_of_{database}"


def too_much(part: Part | None, held: Iterable[Held]) -> Iterator[Excess]:
    """Privileges that do harm in the hands of a part, or (None) of anybody else."""
    for one in held:
        if one.privilege not in _allowed(part, one):
            grantee = quoted(one.grantee) if one.grantee else "PUBLIC"
            kind = "" if one.kind == "TABLE" else f"{one.kind} "
            remedy = f"REVOKE {one.privilege} ON {kind}{one.where} FROM {grantee}"
            yield Excess(f"may {one.privilege} on {one.where}", remedy)


def _allowed(part: Part | None, one: Held) -> frozenset[str]:
    """The privileges on a thing that do no harm in a part's hands."""
    if one.kind == "SCHEMA":
        return frozenset({"USAGE"})
    if one.kind == "FUNCTION":
        harmful = one.schema == LEDGER and one.name.startswith("erase(") and part is not Part.ERASER
        return frozenset() if harmful else frozenset({"EXECUTE"})
    if one.schema != LEDGER:
        return frozenset({"SELECT"})
    if part is None and one.name.startswith("payload"):
        return frozenset()  # with its salt a payload that was erased could be guessed
    if part not in _APPENDS:
        return frozenset({"SELECT"})
    changed = frozenset({"UPDATE"}) if one.name in _CHANGED_IN_PLACE else frozenset()
    return frozenset({"SELECT", "INSERT"}) | changed


def _lack(part: Part, login: str, privilege: str, thing: str) -> Excess:
    return Excess(f"may not {privilege} on {thing}", f"GRANT {part.role} TO {quoted(login)}")


def quoted(identifier: str) -> str:
    """An identifier as SQL takes it, whatever is in it."""
    return '"' + identifier.replace('"', '""') + '"'
