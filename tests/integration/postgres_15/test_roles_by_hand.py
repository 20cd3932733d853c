"""A server that is somebody else's: its administrator prepares it once, and whoever migrates is no superuser."""

import asyncio
import os
import secrets
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from deploy.local import context
from services.audit.core.privileges import Part
from tests import debian_postgres

ROOT = Path(__file__).resolve().parents[3]
ROLES = ROOT / "deploy/postgres/roles.sql"


@pytest.fixture(scope="module")
def fresh():
    """A server that has never seen Decklog, with a login `migrator` that may do nothing yet."""
    if reason := debian_postgres.missing():
        pytest.skip(reason)
    with debian_postgres.running() as found:
        yield found


@pytest.fixture(scope="module")
def password():
    return secrets.token_urlsafe(12)


async def _execute(uri, *statements):
    connection = await asyncpg.connect(uri)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def _as(server, login, password):
    return server.uri.replace(f"decklog:{server.password}@", f"{login}:{password}@")


def _run(*command, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DECKLOG_")}
    return subprocess.run(command, cwd=ROOT, env=clean | environment, capture_output=True, text=True, check=False)


def _migrate(uri):
    return _run(sys.executable, "-m", "decklog.adapters.postgres.migrations", DECKLOG_POSTGRES=uri)


def _decklog(*arguments, **environment):
    return _run(str(context.venv_bin() / "decklog"), *arguments, **environment)


def test_what_the_administrator_runs_is_all_that_it_takes(fresh, password):
    """Refused before, with words; after roles.sql a login without further rights migrates, and audit-db is clean."""
    migrator = _as(fresh, "migrator", password)
    asyncio.run(_execute(fresh.uri, f"CREATE ROLE migrator LOGIN PASSWORD '{password}'"))
    before = _migrate(migrator)
    assert before.returncode == 1
    assert "deploy/postgres/roles.sql" in " ".join(before.stderr.split())

    psql = str(debian_postgres.programs() / "psql")
    prepared = _run(psql, "-v", "migrator=migrator", "-v", "ON_ERROR_STOP=1", "-f", str(ROLES), fresh.uri)
    assert prepared.returncode == 0, prepared.stderr
    done = _migrate(migrator)
    assert done.returncode == 0, done.stderr
    assert "applied 0001_pre_ledger.sql" in done.stdout

    names = {part: f"{part.role}_of_decklog" for part in Part}
    made = [
        statement
        for part, name in names.items()
        for statement in (f"CREATE ROLE {name} LOGIN PASSWORD '{password}'", f"GRANT {part.role} TO {name}")
    ]
    asyncio.run(_execute(fresh.uri, *made))
    given = {part.variable: _as(fresh, name, password) for part, name in names.items()}
    checked = _decklog("admin", "postgres", "check", **given)
    assert checked.returncode == 0, checked.stdout
    audited = _decklog("admin", "audit-db", DECKLOG_POSTGRES=fresh.uri)
    assert audited.returncode == 0, audited.stdout
    known = "excused: migrator can become decklog_owner, decklog_projector: it applied the migrations"
    assert (audited.stdout.splitlines()[0], "\nclean: 0 leaves" in audited.stdout) == (known, True)
