"""The log as c2sp.org/tlog-tiles serves it: the signed checkpoint, tiles and entries, at the root of the server.

Beside it every checkpoint that was ever signed, one a line: what an auditor compares with the copies that others kept.
Salts are never served: they are in another folder.
"""

import asyncio
import base64
import gzip
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Annotated, NamedTuple

import asyncpg
import orjson
import structlog
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from decklog.model.tlog import checkpoint, keys, note, policy, prefix, tiles
from services.audit.api import context, problems, statements
from services.audit.api.context import Actor, Given
from services.audit.core import integration, vouching
from services.audit.publisher import folder

log = structlog.get_logger(__name__)

router = APIRouter(tags=["log"])

CHECKPOINT = "/checkpoint"
CHECKPOINTS = "/checkpoints.jsonl"
TIME_STAMPS = "/timestamps.jsonl"
ROTATIONS = "/rotations.jsonl"
TILES = "/tile/"

NOT_PUBLISHED = "Set DECKLOG_LOG_ORIGIN, DECKLOG_LOG_KEY_FILE and DECKLOG_LOG_DIR for audit"

_READ = ["GET", "HEAD"]
"""Static files are asked for by mirrors and caches with HEAD, too; the server leaves out the body."""

_PAGE_ROWS = 200
_IMMUTABLE = "max-age=31536000, immutable"
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_NEVER = {"Cache-Control": "no-cache"}


def is_of_the_log(path: str) -> bool:
    """Whether a path of the server is one of these."""
    return path in (CHECKPOINT, CHECKPOINTS, TIME_STAMPS, ROTATIONS) or path.startswith(TILES)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether who says this takes an answer that is packed with gzip (RFC 9110, section 12.5.3)."""
    quality: dict[str, float] = {}
    for said in accept_encoding.lower().split(","):
        coding, *parameters = (part.strip() for part in said.split(";"))
        quality[coding] = _quality(parameters)
    return quality.get("gzip", quality.get("x-gzip", quality.get("*", 0.0))) > 0


def _quality(parameters: Sequence[str]) -> float:
    """The weight among parameters: 1 where there is none, 0 where it is none."""
    said = next((one[2:].strip() for one in parameters if one.startswith("q=")), "1")
    return float(said) if _WEIGHT.fullmatch(said) else 0.0


def witness_keys(given: policy.Policy | None) -> Mapping[str, keys.VerifierKey]:
    """The keys of a policy's witnesses, by label."""
    return {} if given is None else {key.label: key for key in given.witnesses.values()}


class Served(NamedTuple):
    """The checkpoint that is served, as its file has it and as it reads."""

    data: bytes
    signed: note.Note
    tree: checkpoint.Checkpoint


def served(log: folder.LogFolder) -> Served | None:
    """The checkpoint that is served. None where there is none, or no such thing in its place, as the publisher says."""
    data = log.read(folder.CHECKPOINT)
    if data is None:
        return None
    try:
        signed = note.parse(data)
        return Served(data, signed, checkpoint.parse(signed.text))
    except (note.Malformed, checkpoint.Malformed):
        return None


def served_size(log: folder.LogFolder) -> int:
    """Leaves in the checkpoint that is served."""
    found = served(log)
    return 0 if found is None else found.tree.size


@router.api_route(CHECKPOINT, methods=_READ)
def get_checkpoint(given: Given) -> Response:
    """The newest checkpoint, a signed note."""
    found = served(_log(given))
    if found is None:
        raise problems.Problem(404, "NotFound", "nothing is published", hint="`decklog status` says what is waited for")
    return Response(found.data, media_type="text/plain; charset=utf-8", headers=_NEVER)


@router.api_route(TILES + "{rest:path}", methods=_READ)
def get_tile(given: Given, actor: Actor, rest: str, accept_encoding: Annotated[str, Header()] = "") -> Response:
    """A tile of hashes or a bundle of entries, whole or partial; it never changes.

    A partial one of an earlier checkpoint is there even where its file is not: it is the beginning of a larger one.
    """
    path = f"tile/{rest}"
    try:
        tile = tiles.parse(path)
    except ValueError as error:
        raise problems.Problem(
            404, "NotFound", f"there is no such tile: {error}", hint="See c2sp.org/tlog-tiles"
        ) from error
    data = _log(given).read(f"{integration.PUBLIC}/{path}")
    if tiles.is_pruned(tile, given.log_minimum) or (data is None and tiles.is_pruned(tile.full, given.log_minimum)):
        hint = f"Ask for leaves from {given.log_minimum} on (`decklog verify --from`), or the operator for a copy"
        raise problems.Problem(410, "Pruned", f"{path} lies before the log's minimum index", hint=hint)
    if data is None:
        data = _beginning(_log(given), tile)
    if data is None:
        hint = "Ask for tiles of checkpoints that were served"
        raise problems.Problem(404, "NotFound", f"there is no tile {path}", hint=hint)
    seen_by = "private" if actor else "public"
    headers = {"Cache-Control": f"{seen_by}, {_IMMUTABLE}", "Vary": "Accept-Encoding"}
    if isinstance(tile, tiles.Bundle) and takes_gzip(accept_encoding):
        data, headers = gzip.compress(data, compresslevel=3, mtime=0), headers | {"Content-Encoding": "gzip"}
    return Response(data, media_type="application/octet-stream", headers=headers)


def _beginning(published: folder.LogFolder, tile: tiles.Tile | tiles.Bundle) -> bytes | None:
    """A partial tile or bundle, cut from a larger one; None where there is none."""
    around = f"{integration.PUBLIC}/{tile.full.path}"
    wider = sorted(int(name) for name in published.names(f"{around}.p") if name.isdigit() and int(name) > tile.width)
    # The whole one once more at the end: it may have taken the place of the partial ones since.
    for name in (around, *(f"{around}.p/{width}" for width in wider), around):
        data = published.read(name)
        if data is not None:
            try:
                return prefix.of(tile, data)
            except ValueError as error:
                log.warning("a tile is damaged", path=name, error=str(error))
    return None


@router.get(CHECKPOINTS)
async def get_checkpoints(
    given: Given, after: Annotated[int, Query(ge=0, le=2**63 - 1, description="only larger ones")] = 0
) -> StreamingResponse:
    """Every checkpoint up to the served one, the smallest first: `{"size", "note"}`, one a line."""
    return StreamingResponse(
        _checkpoints(given, after, served_size(_log(given))), media_type="application/jsonl", headers=_NEVER
    )


@router.get(TIME_STAMPS)
async def get_time_stamps(
    given: Given, after: Annotated[int, Query(ge=0, le=2**63 - 1, description="only larger ones")] = 0
) -> StreamingResponse:
    """Every time stamp of a served checkpoint: `{"size", "note", "authority", "token"}`, one a line.

    The token (base64) is the authority's answer (RFC 3161) about exactly the bytes of that note.
    """
    served = await asyncio.to_thread(served_size, _log(given))
    return StreamingResponse(_time_stamps(given, after, served), media_type="application/jsonl", headers=_NEVER)


@router.get(ROTATIONS)
async def get_rotations(given: Given) -> Response:
    """The leaves that rotate the log's key, up to the served checkpoint: `{"leaf", "vkey", "beside"}`, one a line.

    A pointer to them and nothing more: what counts is what those leaves say.
    """
    served = await asyncio.to_thread(served_size, _log(given))
    rows = [row for row in await given.database.fetch(statements.ROTATIONS) if row["leaf"] < served]
    lines = [orjson.dumps({name: row[name] for name in ("leaf", "vkey", "beside")}) + b"\n" for row in rows]
    return Response(b"".join(lines), media_type="application/jsonl", headers=_NEVER)


async def _time_stamps(given: context.Context, after: int, newest: int) -> AsyncIterator[bytes]:
    async for row in _paged(given, statements.TIME_STAMPS, after, newest):
        token = base64.b64encode(row["token"]).decode()
        line = {"size": row["size"], "note": row["note"].decode(), "authority": row["authority"], "token": token}
        yield orjson.dumps(line) + b"\n"


async def _checkpoints(given: context.Context, after: int, newest: int) -> AsyncIterator[bytes]:
    known = witness_keys(given.log_policy)
    async for row in _paged(given, statements.CHECKPOINTS, after, newest):
        # In a thread: verifying takes as long as reading the row.
        lines = await asyncio.to_thread(_verified, row, known) if row["lines"] else []
        signed = "".join([row["note"].decode(), *(f"{line}\n" for line in lines)])
        yield orjson.dumps({"size": row["size"], "note": signed}) + b"\n"


def _verified(row: asyncpg.Record, known: Mapping[str, keys.VerifierKey]) -> Iterable[str]:
    said = zip(row["cosigners"], row["lines"], strict=True)
    return vouching.good((vouching.Cosigned(row["size"], *one, row["note"]) for one in said), known).values()


async def _paged(given: context.Context, statement: str, after: int, newest: int) -> AsyncIterator[asyncpg.Record]:
    """Rows by size, a page at a time: anybody may read them, as slowly as he likes, and must not keep a connection."""
    while page := await given.database.fetch(statement, after, newest, _PAGE_ROWS):
        for row in page:
            yield row
        after = page[-1]["size"]


def _log(given: context.Context) -> folder.LogFolder:
    if given.log is None:
        raise problems.Problem(404, "NotPublished", "this server publishes no log", hint=NOT_PUBLISHED)
    return given.log
