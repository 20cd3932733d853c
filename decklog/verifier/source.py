"""Where a published log is read from: a folder, or a URL. Paths are those of c2sp.org/tlog-tiles."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import orjson

from decklog.client import cookies, failures
from decklog.model import errors, payload_file
from decklog.model.tlog import tiles
from decklog.verifier import bounds, exchange, limits

if TYPE_CHECKING:
    import httpx

CHECKPOINT = "checkpoint"
CHECKPOINTS = "checkpoints.jsonl"
TIME_STAMPS = "timestamps.jsonl"
ROTATIONS = "rotations.jsonl"

_Tile = tiles.Tile | tiles.Bundle
_BUFFER = 1 << 18
_SILENCE_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
_OK, _NOT_FOUND, _GONE, _UNAUTHORISED, _FORBIDDEN = 200, 404, 410, 401, 403


class Pruned(failures.NotFound):
    """The log says that it gives out this file no more (c2sp.org/tlog-tiles#pruning)."""


class Source(Protocol):
    """A published log's files."""

    @property
    def name(self) -> str:
        """How people call it."""

    def read(self, path: str) -> bytes | None:
        """A file's bytes, None where there is none. Raises Pruned, Unavailable, Unauthorised, or Refused: no end."""

    def lines(self, path: str) -> Iterator[bytes]:
        """A file's lines one after the other; none where there is no file. Raises as `read` does."""

    def close(self) -> None:
        """Be done."""


class Folder:
    """A log's files on this machine, as `decklog ledger export` writes them. Nothing else is read, and no network."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """See `Source`."""
        return str(self._path)

    def read(self, path: str) -> bytes | None:
        """See `Source`."""
        where = self._path / path
        with (
            _readable(where),
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            open(where, "rb", opener=bounds.regular) as opened,
        ):
            return bounds.read(opened, limits.of_log(path), str(where))
        return None

    def lines(self, path: str) -> Iterator[bytes]:
        """See `Source`."""
        opened = self.open(path)
        if opened is not None:
            with _readable(self._path / path), opened:
                yield from bounds.lines(opened, str(self._path / path))

    def open(self, path: str) -> IO[bytes] | None:
        """A file to be read bit by bit, None where there is none. Raises Unavailable, or Refused: it is no file."""
        where = self._path / path
        with _readable(where), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return open(where, "rb", buffering=_BUFFER, opener=bounds.regular)
        return None

    def names(self, below: str) -> Iterator[str]:
        """The paths of all files in a folder of it. Those whose names begin with a dot are none of a log's."""
        for folder, _, files in os.walk(self._path / below):
            for file in files:
                if not file.startswith("."):
                    yield Path(folder, file).relative_to(self._path).as_posix()

    @property
    def has_payloads(self) -> bool:
        """Whether payloads were copied, too."""
        return (self._path / payload_file.FOLDER).is_dir()

    def close(self) -> None:
        """See `Source`."""


class Url:
    """A log behind a URL. A token goes to the one server that it belongs to, and nowhere else."""

    def __init__(self, prefix: str, client: "httpx.Client") -> None:
        self._prefix = prefix.rstrip("/")
        self._http = client

    @property
    def name(self) -> str:
        """See `Source`."""
        return self._prefix

    def read(self, path: str) -> bytes | None:
        """See `Source`."""
        with self._translated(path), exchange.get(self._http, f"{self._prefix}/{path}") as answer:
            # A partial tile may be gone because the whole one is there.
            if answer.head.status == _GONE and ".p/" not in path:
                raise Pruned(f"{path} is pruned", where=f"{self._prefix}/{path}", hint=self._way_out(answer, path))
            if self._missing(answer.head, path):
                return None
            return b"".join(self._parts(answer, path, limits.of_log(path)))

    def lines(self, path: str) -> Iterator[bytes]:
        """See `Source`."""
        # First to a file: whoever reads slowly must not keep the server's answer open for as long.
        where = f"{self._prefix}/{path}"
        with contextlib.ExitStack() as opened:
            with _storable(where):
                kept = opened.enter_context(tempfile.TemporaryFile())
                with self._translated(path), exchange.get(self._http, where) as answer:
                    if not self._missing(answer.head, path):
                        kept.writelines(self._parts(answer, path, limits.LIST))
                kept.seek(0)
            yield from bounds.lines(kept, where)

    def close(self) -> None:
        """See `Source`."""
        self._http.close()

    def _parts(self, answer: exchange.Exchange, path: str, limit: int) -> Iterator[bytes]:
        where = f"{self._prefix}/{path}"
        # Unpacked here: httpx would unpack all that came at once, whatever becomes of it. Bounded on both sides: of a
        # thousand times as much as was sent, and of what is sent and comes to nothing.
        sent = bounds.whole(answer.parts(), limit, where)
        return bounds.whole(bounds.unpacked(sent, answer.head.encoding, where), limit, where)

    def _way_out(self, answer: exchange.Exchange, path: str) -> str:
        """What a server says about from where on it is not pruned; a hint of ours, where it is not one of ours."""
        try:
            said = orjson.loads(b"".join(self._parts(answer, path, limits.PROBLEM)))
            return str(said["hint"])
        except (ValueError, KeyError, TypeError, errors.Refused):
            return "Ask for leaves behind those that are pruned, or the operator for a copy"

    def _missing(self, head: exchange.Head, path: str) -> bool:
        status, where = head.status, f"{self._prefix}/{path}"
        if status in (_UNAUTHORISED, _FORBIDDEN):
            hint = (
                "A token goes to the server of DECKLOG_SERVER alone: set it and DECKLOG_TOKEN_FILE, or ask for a copy"
            )
            raise failures.Unauthorised("the server does not let us read", where=where, hint=hint)
        if head.elsewhere:
            hint = "Nobody is followed to another address: name the log's own, if it is the one that you mean"
            raise failures.Unavailable(f"the server says that it is at {head.elsewhere}", where=where, hint=hint)
        if status not in (_OK, _NOT_FOUND, _GONE):
            raise failures.Unavailable(f"the server answers {status}", where=where, hint="Try again later")
        return status != _OK

    @contextlib.contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # a host may fail where it is looked up
            raise failures.Unavailable(
                f"it cannot be read: {failures.cause(error)}",
                where=f"{self._prefix}/{path}",
                hint="Check the URL and the network, and try again",
            ) from error


def read_kept(given: Source, path: str) -> bytes | None:
    """A file's bytes, None where there is none or it is pruned. Raises as `Source.read` does."""
    try:
        return given.read(path)
    except Pruned:
        return None


def read_tile(given: Source, wanted: _Tile) -> tuple[_Tile, bytes] | None:
    """A tile with its bytes, or the whole one that took its place; None where neither is there.

    Raises as `Source.read` does.
    """
    for one in dict.fromkeys((wanted, wanted.full)):
        data = given.read(one.path)
        if data is not None:
            return one, data
    return None


def read_kept_tile(given: Source, wanted: _Tile) -> tuple[_Tile, bytes] | None:
    """The same, and None for what is pruned."""
    try:
        return read_tile(given, wanted)
    except Pruned:
        return None


def url(prefix: str, *, token: str | None, loopback: bool) -> Url:
    """A log behind a URL, with the token of the server that it is on, if there is one."""
    from decklog.client import server  # noqa: F401 (it keeps httpx from importing a command line of its own)

    import httpx  # isort: skip

    headers = {"Accept-Encoding": "gzip"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
    timeout = httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
    encrypted = urlsplit(prefix).scheme != "http"
    return Url(
        prefix,
        httpx.Client(
            headers=headers,
            cookies=cookies.none(),
            timeout=timeout,
            verify=encrypted,
            trust_env=not loopback,
            follow_redirects=False,
        ),
    )


@contextlib.contextmanager
def _storable(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise failures.Misconfigured(
            f"no temporary file can be written: {error.strerror}",
            where=where,
            hint="Name a folder with space in TMPDIR",
        ) from error


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise failures.Unavailable(
            f"the file cannot be read: {error.strerror}", where=str(path), hint="Check the disk and who may read it"
        ) from error
