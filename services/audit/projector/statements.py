"""SQL of the projector. Statements about rows are made from the row classes: one table per class, columns = fields."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.audit.core import rows

LIVE = "audit"
"""The schema that is served."""

READ_CURSOR = "SELECT next_leaf FROM {schema}.cursor"

# The fence: of two projectors at the same leaf, the second changes no row and rolls back.
MOVE_CURSOR = "UPDATE {schema}.cursor SET next_leaf = $2 WHERE next_leaf = $1"

# Wakes whoever waits for a leaf to be projected; the payload is the next leaf.
ANNOUNCE = "SELECT pg_notify('decklog_projected', $1::text)"

LEDGER_SIZE = "SELECT size FROM ledger.head"

# At most $2 leaves from $1 on whose payloads together stay within $3 bytes (the first one always comes), each with the
# ledger's size at that moment.
READ_LEAVES = """
WITH slice AS (
    SELECT e.leaf, e.receipt, p.value,
        sum(coalesce(octet_length(p.value), 0)) OVER (ORDER BY e.leaf) AS bytes
    FROM ledger.entry e LEFT JOIN ledger.payload p USING (leaf)
    WHERE e.leaf >= $1 AND e.leaf < least((SELECT size FROM ledger.head), $1 + $2)
)
SELECT leaf, receipt, value, (SELECT size FROM ledger.head) AS size FROM slice
WHERE bytes <= $3 OR leaf = $1 ORDER BY leaf
"""

# Around each (object, resourceVersion): the greatest version up to it, and the least beyond it.
READ_NEIGHBOURS = """
SELECT DISTINCT v.* FROM unnest($1::uuid[], $2::bigint[]) AS wanted (object_id, resource_version)
CROSS JOIN LATERAL (
    (SELECT {columns} FROM {schema}.object_version o
     WHERE o.object_id = wanted.object_id AND o.resource_version <= wanted.resource_version
     ORDER BY o.resource_version DESC, o.leaf DESC LIMIT 1)
    UNION ALL
    (SELECT {columns} FROM {schema}.object_version o
     WHERE o.object_id = wanted.object_id AND o.resource_version > wanted.resource_version
     ORDER BY o.resource_version, o.leaf LIMIT 1)
) v
"""


_TEXT = "textin(record_out(t))"
"""A row as text: by Postgres's own function, and not by a cast, which somebody else may have made."""


@dataclass(frozen=True, slots=True)
class Table:
    """A row class as SQL sees it."""

    row: type[rows.Row]
    columns: tuple[str, ...]
    quoted: str

    @property
    def appended(self) -> bool:
        """True if its rows can never collide, so that COPY may write them."""
        return self.row.KEPT and "leaf" in self.row.KEY


def _quoted(name: str) -> str:
    return f'"{name}"'


def _table(row: type[rows.Row]) -> Table:
    return Table(row, rows.COLUMNS[row], ", ".join(_quoted(column) for column in rows.COLUMNS[row]))


TABLES: Mapping[type[rows.Row], Table] = {row: _table(row) for row in rows.ALL}


def select(schema: str, row: type[rows.Row], parts: int) -> str:
    """The rows whose keys begin with any of the given ones; one array parameter per part of the key."""
    names = ", ".join(_quoted(name) for name in row.KEY[:parts])
    arrays = ", ".join(f"${number}::text[]" for number in range(1, parts + 1))
    found = TABLES[row]
    return (
        f"SELECT {found.quoted} FROM {schema}.{_quoted(row.TABLE)} WHERE ({names}) IN (SELECT * FROM unnest({arrays}))"  # noqa: S608
    )


def present(schema: str, row: type[rows.Row]) -> str:
    """Which of the given keys have a row, counted from 1 (`at`); one array parameter per part of the key.

    OFFSET 0 keeps it a look-up in the index per key, whatever the planner thinks of the table's size.
    """
    arrays = ", ".join(f"${number}::{_type(name)}[]" for number, name in enumerate(row.KEY, 1))
    names = ", ".join(f"k{number}" for number in range(1, len(row.KEY) + 1))
    same = " AND ".join(f"t.{_quoted(name)} = wanted.k{number}" for number, name in enumerate(row.KEY, 1))
    return (
        f"SELECT at FROM unnest({arrays}) WITH ORDINALITY AS wanted ({names}, at) "  # noqa: S608
        f"WHERE EXISTS (SELECT FROM {schema}.{_quoted(row.TABLE)} t WHERE {same} OFFSET 0)"
    )


def _type(name: str) -> str:
    return "uuid" if name == "object_id" else "text"


def neighbours(schema: str) -> str:
    """See READ_NEIGHBOURS. Managers are left out: no fold looks at them, and they are long."""
    columns = ", ".join(name for name in TABLES[rows.ObjectVersion].columns if name != "managers")
    return READ_NEIGHBOURS.format(schema=schema, columns=columns)


def write(schema: str, row: type[rows.Row]) -> str:
    """Insert a row; a kept one stays as it was first written, another is replaced."""
    found = TABLES[row]
    values = ", ".join(f"${number}" for number in range(1, len(found.columns) + 1))
    key = ", ".join(_quoted(name) for name in row.KEY)
    rest = [_quoted(name) for name in found.columns if name not in row.KEY]
    action = "NOTHING" if row.KEPT else "UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in rest)
    return (
        f"INSERT INTO {schema}.{_quoted(row.TABLE)} ({found.quoted}) VALUES ({values}) "  # noqa: S608
        f"ON CONFLICT ({key}) DO {action}"
    )


def delete(schema: str, row: type[rows.Row]) -> str:
    """Remove the row of a key."""
    condition = " AND ".join(f"{_quoted(name)} = ${number}" for number, name in enumerate(row.KEY, 1))
    return f"DELETE FROM {schema}.{_quoted(row.TABLE)} WHERE {condition}"  # noqa: S608


def digest(schema: str, row: type[rows.Row]) -> str:
    """How many rows, and a number that differs if any of them does, whatever their order."""
    number = f"('x' || substr(md5({_TEXT}), 1, 15))::bit(60)::bigint"
    return f"SELECT count(*), coalesce(sum({number}), 0) FROM {schema}.{_quoted(row.TABLE)} t"  # noqa: S608


def texts(schema: str, row: type[rows.Row]) -> str:
    """Every row as text, in the order of its key's bytes, which is the same under every collation."""
    key = " || '/' || ".join(f"{_quoted(name)}::text" for name in row.KEY)
    return f"SELECT convert_to({key}, 'UTF8') AS key, {_TEXT} AS text FROM {schema}.{_quoted(row.TABLE)} t ORDER BY 1"  # noqa: S608
