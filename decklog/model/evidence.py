"""Evidence bundles: the files in them, and what each says; all of it a function of leaves, rows and checkpoint.

VERIFY.md  MANIFEST.json  SHA256SUMS        how to check it, what it is about, digests of all other files
checkpoint                                  the signed tree, with all signatures that it has
rows.json  rows.csv                         what the projections say of each leaf: for reading, not proved
leaves/N/receipt.json  proof.tlog-proof     the leaf's bytes, and that they are in the tree
leaves/N/value.bin  salt.bin  headers.json  the event; its receipt commits to SHA-256(salt, value), the salt to headers
time/checkpoint  token.tsr  consistency     what an authority stamped with the time, and that the tree goes on from it
log/tile/…                                  for a stretch of time: all receipts of it, as c2sp.org/tlog-tiles has them
tools/…                                     programs that use nothing of ours
"""

import base64
import csv
import io
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from decklog.model import envelope, headers, receipt, timestamps
from decklog.model.selection import Selection
from decklog.model.tlog import base64_text, checkpoint, tiles

FORMAT = "decklog-evidence/1"
CHECKPOINT, MANIFEST, SUMS, VERIFY = "checkpoint", "MANIFEST.json", "SHA256SUMS", "VERIFY.md"
ROWS, TABLE = "rows.json", "rows.csv"
LOG, LEAVES, TOOLS = "log/", "leaves/", "tools/"
STAMPED, TOKEN, CONSISTENCY = "time/checkpoint", "time/token.tsr", "time/consistency"
RECEIPT, PROOF, VALUE, SALT, HEADERS = "receipt.json", "proof.tlog-proof", "value.bin", "salt.bin", "headers.json"

Row = Mapping[str, Any]

LENGTH_BYTES = 4
"""Before what a server says of a leaf."""

MOMENT = ("kind", "level", "cluster", "application", "object", "actor", "summary")
"""What the projections say of an event."""
COLUMNS = ("leaf", "recorded_at", "time", "type", "id", "source", "subject", "key", "kafka", *MOMENT)
"""Of the table. Those before the projections' are the receipt's."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Stretch(NamedTuple):
    """The leaves `[first, end)`."""

    first: int
    end: int


def folder(leaf: int) -> str:
    """Where the files of a leaf are."""
    return f"{LEAVES}{leaf:012d}/"


def row(leaf: int, entry: bytes, moment: Mapping[str, Any] | None, data: Any) -> dict[str, Any]:
    """What is said of a leaf: by its receipt, and by the projections (`moment` and `data`), if they say anything."""
    said = orjson.loads(entry)
    ce, place = said["ce"] or {}, said["kafka"]
    where = None if place is None else f"{place['topic']}/{place['partition']}@{place['offset']}"
    return {
        "leaf": leaf,
        "recorded_at": timestamps.format_us(said["recorded_at"]),
        "time": ce.get("time"),
        "type": _text(ce.get("type")),
        "id": _text(ce.get("id")),
        "source": _text(ce.get("source")),
        "subject": _text(ce.get("subject")),
        "key": _text(said["key"]),
        "kafka": where,
        **{name: (moment or {}).get(name) or None for name in MOMENT},
        "kind": (moment or {}).get("kind") or said["kind"],
        "data": data,
    }


def is_row(found: Row) -> bool:
    """Whether something that was read has the columns of a row, and in those of the projections texts or nothing."""
    return list(found) == [*COLUMNS, "data"] and all(isinstance(found[name], str | None) for name in MOMENT)


def is_of(found: Row, entry: bytes, leaf: int) -> bool:
    """Whether a row says of a leaf what its receipt says, in the same words: 1 is neither 1.0 nor true."""
    own = row(leaf, entry, None, None)
    proved = COLUMNS[: -len(MOMENT)]
    return all(type(found[name]) is type(own[name]) and found[name] == own[name] for name in proved)


def rows_json(rows: Iterable[Row]) -> Iterator[bytes]:
    """An array, one row a line."""
    separator = b"[\n"
    for one in rows:
        yield separator + orjson.dumps(one)
        separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def rows_csv(rows: Iterable[Row]) -> Iterator[bytes]:
    """A table without the data of the events. A text that a spreadsheet would take for a formula begins with `'`."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\r\n")
    for values in ([*COLUMNS], *([_cell(one.get(name)) for name in COLUMNS] for one in rows)):
        writer.writerow(values)
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()


def headers_json(entry: bytes, kept: bytes) -> bytes:
    """The record's headers: those that were kept, and those that the receipt repeats."""
    found = headers.decode(kept)
    names = {name for name, _ in found}
    said = [(name, value) for name, value in _said(entry) if name not in names]
    values: list[dict[str, str | None]]
    values = [{"name": name, "value": value, "from": "receipt"} for name, value in said]
    values += [{**_name(name), **_value(value), "from": "record"} for name, value in found]
    return orjson.dumps(values, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def kept(data: bytes) -> bytes:
    """The headers of the record, framed again, of a file of them. Raises ValueError, KeyError or TypeError."""
    found: list[tuple[str, bytes | None]] = []
    for one in orjson.loads(data):
        if one["from"] == "record":
            raw = base64.b64decode(one["base64"], validate=True) if "base64" in one else None
            text = one.get("value")
            name = one["name"]
            if "name_base64" in one:
                name = base64.b64decode(one["name_base64"], validate=True).decode(errors="surrogateescape")
            found.append((name, text.encode() if text is not None else raw))
    try:
        return headers.encode(found)
    except struct.error as error:
        raise ValueError("a header is longer than one can be") from error


def _name(name: str) -> dict[str, str | None]:
    """A name that is no UTF-8 cannot be written in JSON: it stands there legibly, and as it is beside that."""
    legible = headers.legible(name)
    if legible == name:
        return {"name": name}
    return {"name": legible, "name_base64": base64.b64encode(name.encode(errors="surrogateescape")).decode()}


class About(NamedTuple):
    """What a bundle is about. `gone`: leaves without payload; `stamped`: leaves under its time stamp, if it has one."""

    chosen: Selection
    leaves: int
    gone: Sequence[int]
    stretch: Stretch | None
    stamped: int | None


def manifest(tree: checkpoint.Checkpoint, about: About) -> bytes:
    """What the bundle says that it is about."""
    chosen, leaves, gone, stretch, stamped = about
    value = {
        "format": FORMAT,
        "log": tree.origin,
        "size": tree.size,
        "root": base64.b64encode(tree.root).decode(),
        "selection": chosen.value() | {"words": str(chosen)},
        "leaves": leaves,
        "without_payload": list(gone),
        "time_stamp": None if stamped is None else {"size": stamped},
        "stretch": None if stretch is None else {"first": stretch.first, "end": stretch.end},
        "completeness": completeness(tree, chosen, leaves, stretch),
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def completeness(tree: checkpoint.Checkpoint, chosen: Selection, leaves: int, stretch: Stretch | None) -> str:
    """What the bundle claims about what is not in it."""
    if stretch is None:
        named = "the leaf that was" if leaves == 1 else f"the {leaves} leaves that were"
        return f"It holds {named} named, and says nothing of others."
    if stretch.first == stretch.end:
        return f"No leaf of the first {tree.size} was recorded between the two moments."
    return (
        f"Of the leaves {stretch.first} to {stretch.end - 1}, which are all that were recorded between the two moments "
        f"among the first {tree.size}, these {leaves} are all of application {chosen.application}: those whose key is "
        f"*/{chosen.application}, on the fleet topic application/{chosen.application}. All receipts of the stretch are "
        f"in {LOG}."
    )


def covering(size: int, stretch: Stretch) -> tuple[list[tiles.Tile], list[tiles.Bundle]]:
    """The tiles that prove a stretch of a log and the leaf on each side of it, and the entries of them."""
    first, end = max(stretch.first - 1, 0), min(stretch.end + 1, size)
    found = set(tiles.edge(size))
    level, low, high = 0, first // tiles.WIDTH, max(end - 1, first) // tiles.WIDTH
    groups = [tiles.bundle_of(number * tiles.WIDTH, size) for number in range(low, high + 1)] if size else []
    while (size >> tiles.HEIGHT * level) > 0:
        there = range(low, min(high, ((size >> tiles.HEIGHT * level) - 1) // tiles.WIDTH) + 1)
        found.update(tiles.tile_of(level, number, size) for number in there)
        level, low, high = level + 1, low // tiles.WIDTH, high // tiles.WIDTH
    return sorted(found), groups


def consistency(old: int, hashes: Sequence[bytes]) -> bytes:
    """The proof that a tree goes on from a smaller one, as text: `old SIZE`, then a hash a line, in base64."""
    return "".join([f"old {old}\n", *(f"{base64_text.encode(one)}\n" for one in hashes)]).encode()


def consistency_hashes(data: bytes, old: int) -> list[bytes]:
    """The hashes of such a text for a tree of `old` leaves. Raises ValueError for what is none."""
    hashes = [base64_text.decode(line) for line in data.decode().split("\n")[1:-1]]
    if consistency(old, hashes) != data:
        raise ValueError("no proof of a tree that grew")
    return hashes


def sums(digests: Iterable[tuple[str, str]]) -> bytes:
    """Digests and names, as `sha256sum -c` reads them."""
    return "".join(f"{digest}  {name}\n" for name, digest in digests).encode()


def _said(entry: bytes) -> Iterator[tuple[str, str]]:
    ce = orjson.loads(entry)["ce"]
    if ce is None:
        return
    yield "content-type", envelope.CONTENT_TYPE
    yield "ce_specversion", envelope.SPECVERSION
    for name in receipt.Attributes._fields:
        if name in ce and not isinstance(ce[name], dict):
            yield f"ce_{name}", str(ce[name])


def _value(raw: bytes | None) -> dict[str, str | None]:
    if raw is None:
        return {"value": None}
    try:
        return {"value": raw.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def _text(value: Any) -> str | None:
    return f"sha256:{value['sha256']}" if isinstance(value, dict) else value


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
