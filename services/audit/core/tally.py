"""The tally: how many checkpoints, cosignatures and time stamps the database was given, and a digest over them.

It stands in the log's folder, out of reach of whoever has the database alone: a row that was deleted there, changed, or
numbered anew no longer fits. A pure function of the rows, so that a lost tally is made again from them.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

PATH = "tally"
"""Of its file, in the log's folder; private."""


class Kind(StrEnum):
    """Whose rows are counted: tables of the schema `ledger`."""

    CHECKPOINT = "checkpoint"
    COSIGNATURE = "cosignature"
    TIME_STAMP = "time_stamp"


class Row(NamedTuple):
    """One row. `name` is who said it (empty for the log itself), `data` the note, line or token."""

    number: int
    size: int
    name: str
    data: bytes


class Count(NamedTuple):
    """How many rows of a table there are, and the digest over them."""

    rows: int = 0
    digest: bytes = bytes(32)

    def add(self, row: Row) -> "Count":
        """With the next row."""
        name = row.name.encode()
        head = f"{row.size} {len(name)} ".encode()
        said = hashlib.sha256(head + name + row.data).digest()
        return Count(self.rows + 1, hashlib.sha256(self.digest + said).digest())


Tally = Mapping[Kind, Count]

NOTHING: Tally = dict.fromkeys(Kind, Count())


class Malformed(ValueError):
    """What is in the file is no tally."""


def follow(count: Count, rows: Iterable[Row]) -> Count:
    """A count with the rows that come next; it stands still before a gap, for `decklog admin audit-db` to be seen."""
    for row in rows:
        if row.number != count.rows:
            break
        count = count.add(row)
    return count


_LINE = re.compile(r"([a-z_]+) (0|[1-9][0-9]{0,17}) ([0-9a-f]{64})")


def encode(tally: Tally) -> bytes:
    """The file: a line for each table."""
    return "".join(f"{kind} {tally[kind].rows} {tally[kind].digest.hex()}\n" for kind in Kind).encode()


def decode(data: bytes) -> Tally:
    """The tally in a file. Raises Malformed."""
    lines = [_LINE.fullmatch(line) for line in data.decode("utf-8", "replace").split("\n")]
    found = {line[1]: Count(int(line[2]), bytes.fromhex(line[3])) for line in lines if line is not None}
    tally = {kind: found[kind] for kind in Kind if kind in found}
    if len(tally) != len(Kind) or encode(tally) != data:
        raise Malformed("it has another form than `TABLE ROWS DIGEST` for each table")
    return tally


class Comparison:
    """The rows of one table, one after the other, beside what was counted (None: nobody did)."""

    def __init__(self, kind: Kind, counted: Count | None) -> None:
        self._kind = kind
        self._counted = counted
        self._here = Count()
        self._next = 0

    def row(self, row: Row) -> Iterator[str]:
        """What is wrong with the next row."""
        # That of checkpoints is looked at beside their sizes.
        if row.number != self._next and self._kind is not Kind.CHECKPOINT:
            yield f"ledger.{self._kind} has number {row.number}, and number {self._next} is missing: it was deleted"
        self._next = row.number + 1
        self._here = self._here.add(row)
        if self._counted is not None and self._here.rows == self._counted.rows and self._here != self._counted:
            yield (
                f"the first {self._here.rows} rows of ledger.{self._kind} are not those that the log's folder counted: "
                "some were deleted, changed or put in another order"
            )

    def end(self) -> Iterator[str]:
        """What is missing after all rows."""
        if self._counted is not None and self._here.rows < self._counted.rows:
            yield (
                f"ledger.{self._kind} has {self._here.rows} of the {self._counted.rows} rows that the log's folder "
                "counted: some were deleted, or the database is older than the log"
            )
