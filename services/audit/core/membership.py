"""Who can become a role that has rights over the ledger, by belonging to it or without: roles in, findings out."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from services.audit.core import privileges
from services.audit.core.auditing import Finding
from services.audit.core.protection import Foreign, foreign

_GROUPS = frozenset({"decklog_owner", *(part.role for part in privileges.Part)})
"""Roles that the migrations make and nobody logs in with; decklog_reader is for whoever queries the views."""

_MIGHTY = frozenset({"SUPERUSER", "REPLICATION"})
"""Attributes with which somebody may read or write everything."""

_ROLES_KEPT_APART = 16
"""From this PostgreSQL on who may make roles cannot become any that others made."""


class Role(NamedTuple):
    """A role of the server. `enters`: it may log in, and connect to this database."""

    name: str
    login: bool
    enters: bool
    attributes: frozenset[str]
    """Those of `privileges.REMEDIES` that it has."""


class Membership(NamedTuple):
    """That a role belongs to another one, whatever it may do by that: who may pass it on can take it."""

    role: str
    member: str


class Server(NamedTuple):
    """The roles of a server, by name, with its databases, and the owner of the one that holds the ledger.

    `migrator` is whoever applied the migrations: that login makes the roles, or an administrator grants them to it.
    `administrators` are the superuser that the server was made with, and whoever asks; `version` is PostgreSQL's major.
    """

    roles: Mapping[str, Role]
    memberships: Sequence[Membership]
    databases: Collection[str]
    database_owner: str
    migrator: str
    administrators: Collection[str] = ()
    version: int = 18

    def is_superuser(self, name: str) -> bool:
        """Whether a role can become anything without belonging to it."""
        return "SUPERUSER" in self.roles[name].attributes

    def below(self, role: str) -> set[str]:
        """All who belong to a role, directly or through others."""
        found: set[str] = set()
        left = [role]
        while left:
            above = left.pop()
            more = {one.member for one in self.memberships if one.role == above} - found
            found |= more
            left += more
        return found


def attribute_findings(server: Server) -> Iterator[Finding]:
    """What was done to roles that this release makes, and to whom the database was given."""
    for name in sorted(server.roles.keys() & _GROUPS):
        if server.roles[name].login:
            remedy = f"ALTER ROLE {privileges.quoted(name)} NOLOGIN"
            yield Finding(None, f"{name} may log in, and is a role that nobody logs in with: {remedy}")
    guarded = _GROUPS | _logins(server)
    for name in sorted(server.roles.keys() & guarded):
        for attribute in sorted(server.roles[name].attributes):
            yield Finding(None, f"{name} {privileges.REMEDIES[attribute]}: {_without(name, attribute)}")
    if server.database_owner in guarded:
        yield Finding(None, f"the database belongs to {server.database_owner}: give it to an administrator")


def members(server: Server) -> list[Foreign]:
    """Memberships by which somebody can become a role over the ledger, and which this release does not make."""
    guarded = {*_GROUPS, *_logins(server), *privileges.POWERS}
    guarded |= {name for name in server.roles if server.is_superuser(name)}
    if server.migrator in server.roles:
        guarded.add(server.migrator)
    found = (_member(server, one) for one in sorted(set(server.memberships)) if one.role in guarded)
    return [one for one in found if one is not None]


def mighty(server: Server) -> list[Foreign]:
    """Who needs to belong to nothing: other superusers, who reads the server as a replica, before PostgreSQL 16 who may
    make roles; and a database's owner, who says what everybody's statements do there.
    """
    attributes = _MIGHTY if server.version >= _ROLES_KEPT_APART else _MIGHTY | {"CREATEROLE"}
    usual = {*server.administrators, server.migrator, *_GROUPS, *_logins(server)}
    found = [
        foreign(f"role {name} {attribute}", f"{name} {privileges.REMEDIES[attribute]}: {_without(name, attribute)}")
        for name, role in sorted(server.roles.items())
        if role.login and name not in usual
        for attribute in sorted(role.attributes & attributes)
    ]
    owner = server.database_owner
    if owner not in usual and owner in server.roles and not server.is_superuser(owner):
        found.append(foreign(f"owner {owner}", f"the database belongs to {owner}: give it to an administrator"))
    if server.migrator in server.roles and not _may_migrate(server):
        problem = f"public.decklog_migration belongs to {server.migrator}, who cannot have applied the migrations"
        found.append(foreign(f"migrator {server.migrator}", problem))
    return found


def _may_migrate(server: Server) -> bool:
    below = server.below("decklog_owner") if "decklog_owner" in server.roles else {server.migrator}
    return server.is_superuser(server.migrator) or server.migrator in below


def _without(name: str, attribute: str) -> str:
    return f"ALTER ROLE {privileges.quoted(name)} NO{attribute}"


def migrators(server: Server) -> list[str]:
    """What is as this release makes it, and worth knowing all the same."""
    roles = sorted(one.role for one in set(server.memberships) if one.member == server.migrator and one.role in _GROUPS)
    if not roles or server.is_superuser(server.migrator):
        return []
    return [f"{server.migrator} can become {', '.join(roles)}: it applied the migrations"]


def _member(server: Server, one: Membership) -> Foreign | None:
    if server.is_superuser(one.member) or _is_as_made(server, one):
        return None
    persons = {
        name
        for name in {one.member, *server.below(one.member)}
        if server.roles[name].enters and not server.is_superuser(name)
    }
    if not persons:
        return None  # nobody, or who may not connect to this database
    through = sorted(persons - {one.member})
    more = f", and {', '.join(through)} through it" if through else ""
    remedy = f"REVOKE {privileges.quoted(one.role)} FROM {privileges.quoted(one.member)}"
    problem = f"{one.member} can become {one.role}{more}: {remedy}"
    return foreign(f"member {one.member} of {one.role}", problem, one.role, one.member, *through)


def _is_as_made(server: Server, one: Membership) -> bool:
    if one.member == server.migrator:
        return one.role in _GROUPS | _logins(server)
    return any(one.role == part.role and one.member in _logins_of(server, part) for part in privileges.Part)


def _logins(server: Server) -> frozenset[str]:
    """The logins that `decklog admin postgres logins` makes, of any installation on the server."""
    return frozenset(itertools.chain.from_iterable(_logins_of(server, part) for part in privileges.Part))


def _logins_of(server: Server, part: privileges.Part) -> Iterator[str]:
    names = (privileges.login(part, database) for database in server.databases)
    return (name for name in names if name in server.roles)
