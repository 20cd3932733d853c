"""What the login of each part of audit may do on a real Postgres, and that audit refuses to start with more."""

import asyncio
import os
import stat
import subprocess
from urllib import parse

import asyncpg
import pytest

from decklog.model import errors
from deploy.local import context, envfile
from services.audit import privileges
from services.audit.core.privileges import Part
from tests import audit_process, published_log
from tests import stack as stacks

WRITER, PROJECTOR, API = Part.WRITER, Part.PROJECTOR, Part.API


@pytest.fixture
async def owner(database):
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def login(database, owner):
    """A login of this test alone, for the database."""
    name = stacks.unique("login").replace("-", "_")
    address = parse.urlsplit(database)
    await owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    await owner.execute(f'GRANT CONNECT ON DATABASE "{address.path[1:]}" TO {name}')
    yield name, address._replace(netloc=f"{name}:x@{address.netloc.rpartition('@')[2]}").geturl()
    await owner.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}")


async def complaints(uri, part):
    """What is wrong with a login for a part, as (problem, statement)."""
    connection = await asyncpg.connect(uri)
    try:
        await privileges.check(connection, part)
    except errors.Terminal as refusal:
        lines = [line.strip().removesuffix(";") for line in refusal.problem.splitlines()[1:]]
        return [tuple(line.split(":  ")) for line in lines]
    finally:
        await connection.close()
    return []


@pytest.mark.parametrize("part", Part)
async def test_the_logins_that_are_made_fit(database, part):
    """`decklog admin postgres logins` gives each part what it needs and no more."""
    assert await complaints(stacks.logins(database)[part], part) == []


@pytest.mark.parametrize(
    ("part", "done", "problem", "remedy"),
    [
        (API, "ALTER ROLE {0} CREATEROLE", "may make roles", 'ALTER ROLE "{0}" NOCREATEROLE'),
        (API, "ALTER ROLE {0} CREATEDB", "may make databases", 'ALTER ROLE "{0}" NOCREATEDB'),
        (API, "ALTER ROLE {0} BYPASSRLS", "passes by row-level", 'ALTER ROLE "{0}" NOBYPASSRLS'),
        (API, "GRANT pg_write_all_data TO {0}", "belongs to pg_", 'REVOKE "pg_write_all_data" FROM "{0}"'),
        (WRITER, "GRANT decklog_owner TO {0}", "can become", 'REVOKE "decklog_owner" FROM "{0}"'),
        (WRITER, "GRANT decklog_eraser TO {0}", "belongs to", 'REVOKE "decklog_eraser" FROM "{0}"'),
        (WRITER, "GRANT UPDATE ON ledger.entry TO {0}", "may UPDATE", 'REVOKE UPDATE ON ledger.entry FROM "{0}"'),
        (WRITER, "GRANT DELETE ON ledger.position TO decklog_writer", "may DELETE on",
         'REVOKE DELETE ON ledger.position FROM "decklog_writer"'),
        (WRITER, "GRANT TRUNCATE ON ledger.payload_p000001 TO PUBLIC", "may TRUNCATE on",
         "REVOKE TRUNCATE ON ledger.payload_p000001 FROM PUBLIC"),
        (WRITER, "GRANT UPDATE (sha256) ON ledger.dedup TO {0}", "may UPDATE (sha256)",
         'REVOKE UPDATE (sha256) ON ledger.dedup FROM "{0}"'),
        (WRITER, "GRANT CREATE ON SCHEMA ledger TO {0}", "may CREATE", 'REVOKE CREATE ON SCHEMA ledger FROM "{0}"'),
        (WRITER, "GRANT UPDATE ON audit.timeline TO {0}", "may UPDATE", 'REVOKE UPDATE ON audit.timeline FROM "{0}"'),
        (PROJECTOR, "GRANT INSERT ON ledger.entry TO {0}", "may INSERT", 'REVOKE INSERT ON ledger.entry FROM "{0}"'),
        (PROJECTOR, "ALTER TABLE ledger.entry OWNER TO {0}", "owns ledger.entry",
         "ALTER TABLE ledger.entry OWNER TO decklog_owner"),
        (API, "ALTER TABLE audit.timeline OWNER TO {0}", "owns audit.timeline",
         "ALTER TABLE audit.timeline OWNER TO decklog_projector"),
        (API, "ALTER FUNCTION ledger.refuse_change() OWNER TO {0}", "owns ledger.refuse_change()",
         "ALTER FUNCTION ledger.refuse_change() OWNER TO decklog_owner"),
    ],
)  # fmt: skip
async def test_more_than_a_part_needs_is_named_with_its_remedy(owner, login, part, done, problem, remedy):
    """Each excess is named alone, with the statement that removes it; once that is run the login fits."""
    await named_with_its_remedy(owner, login, part, done, problem, remedy)


async def named_with_its_remedy(owner, login, part, done, problem, remedy):
    """What that test does."""
    name, uri = login
    await owner.execute(f"GRANT {part.role} TO {name}")
    await owner.execute(done.format(name))
    try:
        ((found, statement),) = await complaints(uri, part)
        assert found.startswith(problem)
        assert statement == remedy.format(name)
        await owner.execute(statement)
        assert await complaints(uri, part) == []
    finally:
        await owner.execute("REVOKE DELETE ON ledger.position FROM decklog_writer")


@pytest.mark.parametrize("part", Part)
async def test_less_than_a_part_needs_is_named(owner, login, part):
    """A login without its role is told which role it lacks."""
    name, uri = login
    found = await complaints(uri, part)
    assert [statement for _, statement in found] == [f'GRANT {part.role} TO "{name}"']
    await owner.execute(found[0][1])
    assert await complaints(uri, part) == []


async def test_audit_does_not_start_with_the_owners_login(database, tmp_path):
    """The process ends at once and says which setting, why, and what to do."""
    with pytest.raises(ExceptionGroup) as caught:
        async with audit_process.running(database, tmp_path, installed=False, postgres_projector=database) as process:
            await audit_process.ready(process, seconds=3)
    refusals = [str(one) for one in caught.value.exceptions if isinstance(one, errors.Terminal)]
    assert "DECKLOG_POSTGRES_PROJECTOR: the login decklog does not fit the projector:" in refusals[0]
    assert 'is a superuser:  ALTER ROLE "decklog" NOSUPERUSER;' in refusals[0]


def test_the_command_makes_logins_and_keeps_their_passwords(empty_database, tmp_path):
    """The file is its owner's alone; run again it holds the same; the server keeps no password that could be read."""
    stacks.migrate(empty_database)
    out = tmp_path / "logins"
    try:
        told = _decklog("admin", "postgres", "logins", "--out", str(out), DECKLOG_POSTGRES=empty_database)
        assert told.returncode == 0, told.stderr
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        first = out.read_text()
        given = envfile.parse(first)
        assert sorted(given) == sorted(part.variable for part in Part)
        for uri in given.values():
            password = parse.urlsplit(uri).password
            assert password not in told.stdout + told.stderr
        assert _decklog("admin", "postgres", "check", **given).returncode == 0
        again = _decklog("admin", "postgres", "logins", "--out", str(out), DECKLOG_POSTGRES=empty_database)
        assert again.returncode == 0
        assert out.read_text() == first
        wrong = _decklog("admin", "postgres", "check", **given | {"DECKLOG_POSTGRES_API": empty_database})
        assert wrong.returncode == 1
        assert "is a superuser" in wrong.stdout
    finally:
        asyncio.run(_drop_logins(empty_database))


def test_a_login_that_may_not_make_logins_is_told_who_can(database, tmp_path):
    """No traceback: what was refused, and the ways out."""
    uri = stacks.logins(database)[Part.API]
    told = _decklog("admin", "postgres", "logins", "--out", str(tmp_path / "logins"), DECKLOG_POSTGRES=uri)
    assert told.returncode != 0
    assert "may not make logins" in told.stderr
    assert "deploy/postgres/roles.sql" in " ".join(told.stderr.split())
    assert not (tmp_path / "logins").exists()


async def test_sequenced_published_and_projected_with_those_logins(database, tmp_path):
    """The writer's login sequences and publishes: nothing there needs more than it may do."""
    log = published_log.Log(stacks.logins(database)[Part.WRITER], tmp_path)
    await log.grow(3)
    assert await log.publish()
    assert log.served().size == 3


def _decklog(*arguments, **environment):
    command = (str(context.venv_bin() / "decklog"), *arguments)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DECKLOG_")}
    return subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=False)


async def _drop_logins(uri):
    connection = await asyncpg.connect(uri)
    for part in Part:
        name = f"{part.role}_of_{parse.urlsplit(uri).path[1:]}"
        await connection.execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')
    await connection.close()
