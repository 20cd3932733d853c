"""The tables of a schema: fetch the rows that folds need, write what they made of them."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
import orjson

from services.audit.core import rows
from services.audit.core.folding import Changes
from services.audit.core.view import AnyNeed, Need, VersionNeed
from services.audit.projector import statements

# What Postgres says of values that it will never take, whatever the weather.
_REFUSALS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.exceptions.CharacterNotInRepertoireError,
    OverflowError,  # what asyncpg says of a number over 64 bits in COPY
)


class Unwritable(Exception):
    """Postgres refuses a value of these rows."""


async def prepare(connection: asyncpg.Connection) -> None:
    """Teach a connection to carry JSON values as `jsonb`, in the binary form that COPY needs too."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_encoded_json, decoder=_decoded_json
    )


async def load(connection: asyncpg.Connection, schema: str, needs: Iterable[AnyNeed]) -> list[rows.Row]:
    """The rows that are needed and exist. Raises Unwritable for a need that Postgres refuses to look for."""
    with _refusing():
        return await _load(connection, schema, needs)


async def _load(connection: asyncpg.Connection, schema: str, needs: Iterable[AnyNeed]) -> list[rows.Row]:
    found: list[rows.Row] = []
    ordered = sorted((need for need in needs if isinstance(need, Need)), key=_shape)
    for (row, parts), group in itertools.groupby(ordered, key=lambda need: (need.row, len(need.key))):
        keys = zip(*(need.key for need in group), strict=True)
        records = await connection.fetch(statements.select(schema, row, parts), *(list(part) for part in keys))
        found.extend(_row(row, record) for record in records)
    versions = [need for need in needs if isinstance(need, VersionNeed)]
    return [*found, *(await _neighbours(connection, schema, versions))]


async def save(connection: asyncpg.Connection, schema: str, changes: Changes) -> None:
    """Write all effects, inside the caller's transaction. Raises Unwritable."""
    with _refusing():
        for row, keys in _by_type(changes.gone, lambda gone: gone.row):
            await connection.executemany(statements.delete(schema, row), [gone.key for gone in keys])
        for row, found in _by_type(changes.put, type):
            await _write(connection, schema, row, found)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except _REFUSALS as error:
        raise Unwritable(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error


async def _write(connection: asyncpg.Connection, schema: str, row: type[rows.Row], found: Sequence[rows.Row]) -> None:
    table = statements.TABLES[row]
    if not row.KEPT:
        await connection.executemany(statements.write(schema, row), map(rows.VALUES[row], found))
        return
    new = found if table.appended else await _absent(connection, schema, row, found)
    if new:
        records = map(rows.VALUES[row], new)
        await connection.copy_records_to_table(row.TABLE, schema_name=schema, columns=table.columns, records=records)


async def _absent(
    connection: asyncpg.Connection, schema: str, row: type[rows.Row], found: Sequence[rows.Row]
) -> list[rows.Row]:
    """Those whose keys are not there yet. Nobody else adds any meanwhile: the cursor's row is locked."""
    keys = [one.key for one in found]
    records = await connection.fetch(statements.present(schema, row), *(list(part) for part in zip(*keys, strict=True)))
    there = {record["at"] for record in records}
    return [one for number, one in enumerate(found, 1) if number not in there]


async def _neighbours(
    connection: asyncpg.Connection, schema: str, needs: Sequence[VersionNeed]
) -> list[rows.ObjectVersion]:
    if not needs:
        return []
    records = await connection.fetch(
        statements.neighbours(schema), [need.object_id for need in needs], [need.resource_version for need in needs]
    )
    return [_version(record) for record in records]


def _version(record: asyncpg.Record) -> rows.ObjectVersion:
    values = dict(record) | {"object_id": str(record["object_id"])}
    return rows.ObjectVersion(**values)


def _row(row: type[rows.Row], record: asyncpg.Record) -> rows.Row:
    values = {name: tuple(value) if name.endswith("_rank") else value for name, value in record.items()}
    return row(**values)


def _shape(need: Need) -> tuple[str, int]:
    return need.row.TABLE, len(need.key)


def _by_type(effects: Sequence[Any], kind: Any) -> Iterable[tuple[type[rows.Row], list[Any]]]:
    groups: dict[type[rows.Row], list[Any]] = {}
    for effect in effects:
        groups.setdefault(kind(effect), []).append(effect)
    return groups.items()


def _encoded_json(value: Any) -> bytes:
    return b"\x01" + orjson.dumps(value)


def _decoded_json(value: bytes) -> Any:
    return orjson.loads(value[1:])
