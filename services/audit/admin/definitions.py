"""Reading how functions and views are defined, in the database and as the migrations made them."""

import re

import asyncpg

from decklog.adapters.postgres import migrations
from services.audit.admin import shapes
from services.audit.core import protection

_SCHEMAS = list(shapes.SCHEMAS)

# All of a function but its name: arguments, result, language, body, rights and settings.
_FUNCTIONS = """
SELECT format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
    CASE WHEN p.prokind = 'a' THEN '' ELSE pg_get_functiondef(p.oid) END, pg_get_userbyid(p.proowner)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY ($1)
"""

_SHIPPED_FUNCTION = """
SELECT pg_get_function_identity_arguments(oid), pg_get_functiondef(oid) FROM pg_proc
WHERE proname = 'decklog_shipped' AND pronamespace = pg_my_temp_schema()
"""

# Whatever is read like a table there, and is none; its options say with whose rights, and what it lets through.
# Conditions of row-level security in its tree are not part of its definition.
_VIEWS = """
SELECT 'audit.' || relname,
    concat_ws(E'\\n', CASE WHEN relkind = 'f' THEN 'foreign table' ELSE pg_get_viewdef(c.oid) END, reloptions::text,
        substring(ev_action::text, ':securityQuals [^<].*'))
FROM pg_class c LEFT JOIN pg_rewrite w ON w.ev_class = c.oid AND w.rulename = '_RETURN'
WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('v', 'm', 'f')
"""

_FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION ((?:ledger|audit)\.\w+)(\([^$]*\$\$.*?\$\$);", re.DOTALL)
_VIEW = re.compile(r"CREATE (?:OR REPLACE )?VIEW (audit\.\w+) AS\n(.*?);\n", re.DOTALL)


async def views(connection: asyncpg.Connection) -> dict[str, protection.Definition]:
    """Those of schema `audit`, by name."""
    return {name: protection.Definition(text) for name, text in await connection.fetch(_VIEWS)}


async def functions(connection: asyncpg.Connection) -> dict[str, protection.Definition]:
    """Those of both schemas, by name and arguments."""
    rows = await connection.fetch(_FUNCTIONS, _SCHEMAS)
    return {name: protection.Definition(_unnamed(text), owner) for name, text, owner in rows}


async def shipped_views(connection: asyncpg.Connection) -> dict[str, protection.Definition]:
    """As this server reads the migrations: each is made for a moment as a temporary view, and undone."""
    found: dict[str, protection.Definition] = {}
    for migration in migrations.read():
        for name, text in _VIEW.findall(migration.sql):
            found[name] = protection.Definition(await _as_read(connection, text))
    return found


async def _as_read(connection: asyncpg.Connection, text: str) -> str:
    undone = connection.transaction()
    await undone.start()
    try:
        await connection.execute(f"CREATE TEMPORARY VIEW decklog_shipped AS {text}")
        return str(await connection.fetchval("SELECT pg_get_viewdef('pg_temp.decklog_shipped'::regclass)"))
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError):
        return "what it reads is gone"
    finally:
        await undone.rollback()


async def shipped_functions(connection: asyncpg.Connection) -> dict[str, protection.Definition]:
    """As this server reads the migrations, by name and arguments; made for a moment like views."""
    found: dict[str, protection.Definition] = {}
    for migration in migrations.read():
        for name, rest in _FUNCTION.findall(migration.sql):
            arguments, text = await _function_as_read(connection, rest)
            found[f"{name}({arguments})"] = protection.Definition(_unnamed(text))
    return found


async def _function_as_read(connection: asyncpg.Connection, rest: str) -> tuple[str, str]:
    undone = connection.transaction()
    await undone.start()
    try:
        # What its body reads may be gone: that is told elsewhere.
        await connection.execute("SET LOCAL check_function_bodies = off")
        await connection.execute(f"CREATE FUNCTION pg_temp.decklog_shipped{rest}")
        row = await connection.fetchrow(_SHIPPED_FUNCTION)
        assert row is not None  # noqa: S101 (it was made just now)
        return row[0], row[1]
    finally:
        await undone.rollback()


def _unnamed(text: str) -> str:
    """A function's definition behind its name."""
    return text.partition("(")[2]
