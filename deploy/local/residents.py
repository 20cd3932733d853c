"""Servers that the user has may be home to a Decklog installation already; the one of another state folder stays alone.

Its masking key and the key of its log lie in that folder: with others, one record would be written by two.
"""

import hashlib

import asyncpg
from aiokafka import admin
from aiokafka import errors as kafka_errors

from deploy.local import context, errors, folder


async def require_ours(ctx: context.Context, *, kafka: str, postgres: str, prefix: str) -> None:
    """Pass if the given servers are empty of Decklog or known to this folder, and remember them.

    Raises StackError naming the ways out.
    """
    note = ctx.state.path / "servers"
    known = set(note.read_text().split()) if note.exists() else set()
    given = [one for one in (ctx.wanted.kafka and kafka, ctx.wanted.postgres and postgres) if one]
    names = {one: hashlib.sha256(one.encode()).hexdigest() for one in given}
    if ctx.wanted.kafka and names[kafka] not in known and await _has_topics(kafka, prefix):
        raise errors.StackError(
            f"On DECKLOG_KAFKA={kafka} another Decklog installation has its topics ({prefix}.…), whose keys are not in "
            f"{ctx.state.path}. Use another Kafka; or, if nobody needs that installation any more, delete its topics."
        )
    if ctx.wanted.postgres and names[postgres] not in known and await _has_ledger(postgres):
        raise errors.StackError(
            "The database of DECKLOG_POSTGRES holds the ledger of another Decklog installation. Name another database "
            "(`createdb`); or, if nobody needs that ledger any more, drop its schemas `ledger` and `audit`."
        )
    folder.write_atomically(note, "".join(f"{name}\n" for name in sorted(known | set(names.values()))))


async def _has_topics(bootstrap: str, prefix: str) -> bool:
    client = admin.AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await client.start()
        return any(name.startswith(f"{prefix}.") for name in await client.list_topics())
    except kafka_errors.KafkaError as error:
        raise errors.StackError(f"DECKLOG_KAFKA={bootstrap} does not tell its topics: {error}") from error
    finally:
        await client.close()


async def _has_ledger(uri: str) -> bool:
    try:
        connection = await asyncpg.connect(uri, timeout=5)
        try:
            if await connection.fetchval("SELECT to_regclass('ledger.head')") is None:
                return False
            return bool(await connection.fetchval("SELECT size > 0 FROM ledger.head"))
        finally:
            await connection.close()
    except (asyncpg.PostgresError, OSError) as error:
        raise errors.StackError(f"DECKLOG_POSTGRES does not tell what it holds: {type(error).__name__}") from error
