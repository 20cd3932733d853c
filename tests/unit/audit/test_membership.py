"""Who can become a role over the ledger by belonging to it, and what of that this release does not make."""

import pytest

from services.audit.core import membership
from services.audit.core.privileges import Part

DATABASE = "decklog"
NOBODY = frozenset[str]()


def server(*memberships, superusers=("root",), entering=(), groups=(), **changed):
    """A server as this release makes it, with these roles beside, and who belongs to whom beside."""
    made = [(part.role, f"{part.role}_of_{DATABASE}") for part in Part]
    logins = {login for _, login in made} | {*superusers, *entering}
    names = {"decklog_owner", "decklog_reader", *(part.role for part in Part), *logins, *groups}
    roles = {
        name: membership.Role(
            name, name in logins, name in logins, frozenset({"SUPERUSER"}) if name in superusers else NOBODY
        )
        for name in names
    }
    given = {"databases": {DATABASE}, "database_owner": "root", "migrator": "root", **changed}
    given["roles"] = roles | given.get("roles", {})
    return membership.Server(memberships=[membership.Membership(*one) for one in (*made, *memberships)], **given)


def problems(found):
    return [one.problem.partition(": REVOKE")[0] for one in membership.members(found)]


def test_what_this_release_makes_is_no_finding():
    """Logins of the parts, readers whoever they are, and superusers, who need not belong to anything."""
    made = server(("decklog_reader", "ann"), ("decklog_owner", "root"), entering=["ann"])
    assert problems(made) == []
    assert list(membership.attribute_findings(made)) == []
    assert membership.migrators(made) == []


@pytest.mark.parametrize(
    ("memberships", "found"),
    [
        ([("decklog_owner", "bob")], ["bob can become decklog_owner"]),
        ([("decklog_owner", "team"), ("team", "more"), ("more", "bob"), ("team", "ann")],
         ["team can become decklog_owner, and ann, bob through it"]),
        ([("decklog_owner", "team")], []),
        ([("decklog_writer", "decklog_eraser_of_decklog")], ["decklog_eraser_of_decklog can become decklog_writer"]),
        ([("decklog_eraser", "decklog_writer")],
         ["decklog_writer can become decklog_eraser, and decklog_writer_of_decklog through it"]),
        ([("decklog_writer_of_decklog", "bob")], ["bob can become decklog_writer_of_decklog"]),
        ([("root", "bob")], ["bob can become root"]),
        ([("pg_write_all_data", "bob")], ["bob can become pg_write_all_data"]),
        ([("decklog_owner", "elsewhere")], []),
        ([("decklog_writer", "decklog_writer_of_gone")], ["decklog_writer_of_gone can become decklog_writer"]),
    ],
)  # fmt: skip
def test_everybody_else_is_named_with_the_role(memberships, found):
    """Directly or through groups; not who may not connect to this database, nor a group without anybody."""
    outsider = {"elsewhere": membership.Role("elsewhere", login=True, enters=False, attributes=NOBODY)}
    given = server(
        *memberships,
        entering=["ann", "bob", "decklog_writer_of_gone"],
        groups=["team", "more", "pg_write_all_data"],
        roles=outsider,
    )
    assert problems(given) == found


def test_an_excuse_ends_when_somebody_comes_into_the_group():
    """It covers who could become the role when it was given, and nobody more."""
    edges = [("decklog_owner", "team"), ("team", "ann")]
    before, after = (
        membership.members(server(*edges, *more, entering=["ann", "bob"], groups=["team"]))[0]
        for more in ([], [("team", "bob")])
    )
    assert before.named == after.named == "member team of decklog_owner"
    assert before.excuse != after.excuse


def test_whoever_applied_the_migrations_is_told_and_is_no_finding():
    """An administrator grants it the two roles to which it gives what it makes; who can become it is a finding."""
    edges = [("decklog_owner", "migrator"), ("decklog_projector", "migrator"), ("migrator", "bob")]
    given = server(*edges, entering=["migrator", "bob"], migrator="migrator")
    assert membership.migrators(given) == [
        "migrator can become decklog_owner, decklog_projector: it applied the migrations"
    ]
    assert problems(given) == ["bob can become migrator"]


def test_a_role_of_ours_that_was_made_mighty_is_found():
    """Attributes, a login for who has none, and the database given to one of them."""
    mighty = {
        "decklog_owner": membership.Role("decklog_owner", login=True, enters=True, attributes=NOBODY),
        "decklog_api_of_decklog": membership.Role(
            "decklog_api_of_decklog", login=True, enters=True, attributes=frozenset({"BYPASSRLS"})
        ),
    }
    found = membership.attribute_findings(server(roles=mighty, database_owner="decklog_writer"))
    assert [str(one) for one in found] == [
        'decklog_owner may log in, and is a role that nobody logs in with: ALTER ROLE "decklog_owner" NOLOGIN',
        'decklog_api_of_decklog passes by row-level security: ALTER ROLE "decklog_api_of_decklog" NOBYPASSRLS',
        "the database belongs to decklog_writer: give it to an administrator",
    ]


def test_who_needs_to_belong_to_nothing_is_named():
    """Superusers, replicas, owners, who may make roles before PostgreSQL 16: but for those that belong there."""
    strong = {
        name: membership.Role(name, login=name != "group", enters=True, attributes=frozenset({attribute}))
        for name, attribute in {
            "mallory": "SUPERUSER", "postgres": "SUPERUSER", "group": "SUPERUSER", "standby": "REPLICATION",
            "maker": "CREATEROLE",
        }.items()
    }  # fmt: skip
    given = {"roles": strong, "entering": ["bob"], "administrators": ["postgres"]}
    old = membership.mighty(server(**given, database_owner="bob", migrator="bob", version=15))
    assert [one.problem for one in old] == [
        'maker may make roles: ALTER ROLE "maker" NOCREATEROLE',
        'mallory is a superuser: ALTER ROLE "mallory" NOSUPERUSER',
        'root is a superuser: ALTER ROLE "root" NOSUPERUSER',
        'standby may read the whole server as a replica: ALTER ROLE "standby" NOREPLICATION',
        "public.decklog_migration belongs to bob, who cannot have applied the migrations",
    ]
    new = membership.mighty(server(("decklog_owner", "bob"), **given, database_owner="maker", migrator="bob"))
    assert [one.named for one in new] == [
        "role mallory SUPERUSER", "role root SUPERUSER", "role standby REPLICATION", "owner maker"
    ]  # fmt: skip
