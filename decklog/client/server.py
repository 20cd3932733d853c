"""One connection to a server: JSON in, JSON out, and every library error turned into one of ours."""

import contextlib
import importlib.metadata
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Self

import orjson

from decklog.client import cookies, failures, problem, settings

# Where click is installed, httpx imports its own command line, and with it rich and pygments: twice the time of all
# the rest of a command of ours. It knows how to do without that module, so it is told that there is none.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

Params = Mapping[str, str | int | bool | Sequence[str] | None]

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
"""The longest silence within an ordinary answer. A live stream sends a comment more often than this."""
_DOWNLOAD_BYTES = 1 << 18
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
"""A server's word to the person in front of a client (RFC 7234 section 5.5), as the Kubernetes API sends it."""


class Server:
    """The API of one server, for one principal. A context manager: leaving it closes the connection.

    What the server has to say beside an answer is given to `warned`, each text once.
    """

    def __init__(
        self, where: settings.Settings, token: str, warned: Callable[[str], None] = lambda _text: None
    ) -> None:
        self.address = where.server
        self._warned = warned
        self._warnings: set[str] = set()
        self._http = httpx.Client(
            base_url=where.server,
            headers={
                "Authorization": f"Bearer {token}",
                "User-Agent": _agent(),
            },
            cookies=cookies.none(),
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            # To read the authorities' certificates takes a tenth of a command's time, and only TLS needs them.
            verify=where.encrypted,
            # A proxy of the environment has no business between two programs of one machine.
            trust_env=not where.loopback,
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, params: Params | None = None, *, silence: float = READ_SECONDS) -> Any:
        """Return the JSON at a path. `silence`: seconds without a byte before giving up."""
        return self._call("GET", path, params=params, silence=silence)

    def post(self, path: str, body: Any) -> Any:
        """Send JSON and return the JSON that comes back."""
        return self._call("POST", path, body=body)

    def patch(self, path: str, body: Any) -> Any:
        """Send a change as JSON and return the JSON that comes back."""
        return self._call("PATCH", path, body=body)

    def delete(self, path: str, params: Params | None = None) -> Any:
        """Ask for a removal and return the JSON that comes back."""
        return self._call("DELETE", path, params=params)

    @contextlib.contextmanager
    def stream(self, path: str, params: Params | None = None, last_id: str = "") -> Iterator[Iterator[str]]:
        """Open a stream of server-sent events and give its lines as they arrive."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        with self._translated(path), self._http.stream("GET", path, params=_given(params), headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                raise problem.failure(response.status_code, _decoded(response), self._where("GET", path))
            self._warn(response)
            yield response.iter_lines()

    @contextlib.contextmanager
    def download(self, path: str, body: Any) -> Iterator[IO[bytes]]:
        """Ask for bytes by sending JSON, and read them as they arrive, in bounded memory."""
        headers = {"Content-Type": "application/json"}
        content = orjson.dumps(body)
        with self._translated(path), self._http.stream("POST", path, content=content, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                raise problem.failure(response.status_code, _decoded(response), self._where("POST", path))
            yield io.BufferedReader(_Arriving(response.iter_bytes()), _DOWNLOAD_BYTES)

    def _call(
        self, method: str, path: str, *, params: Params | None = None, body: Any = None, silence: float = READ_SECONDS
    ) -> Any:
        content = None if body is None else orjson.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        timeout = httpx.Timeout(silence, connect=CONNECT_SECONDS)
        with self._translated(path):
            response = self._http.request(
                method, path, params=_given(params), content=content, headers=headers, timeout=timeout
            )
        self._warn(response)
        if response.is_success:
            return self._answer(response, self._where(method, path))
        raise problem.failure(response.status_code, _decoded(response), self._where(method, path))

    def _warn(self, response: httpx.Response) -> None:
        for text in warnings(response.headers.get_list("warning")):
            if text not in self._warnings:
                self._warnings.add(text)
                self._warned(text)

    def _answer(self, response: httpx.Response, where: str) -> Any:
        if not response.content:
            return None
        answer = _decoded(response)
        if answer is None:
            raise failures.Unavailable(
                "what answers there does not speak JSON",
                where=where,
                hint=f"{settings.SERVER} must name a Decklog server: `make status` prints its address",
            )
        return answer

    @contextlib.contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectTimeout as error:
            raise self._unreachable("it did not answer in time") from error
        except (httpx.ConnectError, httpx.InvalidURL, UnicodeError) as error:  # a host that cannot even be looked up
            raise self._unreachable(failures.cause(error)) from error
        except httpx.TimeoutException as error:
            raise failures.Unavailable(
                "the server was silent for too long",
                where=self.address + path,
                hint="Try again; `decklog status` says how far behind it is",
            ) from error
        except httpx.TransportError as error:
            raise failures.Unavailable(
                f"the connection broke: {failures.cause(error)}", where=self.address + path, hint="Try again"
            ) from error

    def _unreachable(self, cause: str) -> failures.Unavailable:
        return failures.Unavailable(
            f"the Decklog server cannot be reached: {cause}",
            where=self.address,
            hint=f"Start it with `make up`, or correct {settings.SERVER} (`source .decklog/env`)",
        )

    def _where(self, method: str, path: str) -> str:
        return f"{method} {self.address}{path}"


def warnings(headers: Iterable[str]) -> list[str]:
    """The texts of `Warning` headers; whatever is none of them is passed over."""
    return [re.sub(r"\\(.)", r"\1", text) for line in headers for text in _WARNING.findall(line)]


class _Arriving(io.RawIOBase):
    """A body to be read as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readinto(self, buffer: "Buffer") -> int:
        """See `io.RawIOBase`."""
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._left = memoryview(part)
        taken = self._left[: len(memoryview(buffer))]
        memoryview(buffer)[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)


def _agent() -> str:
    return f"decklog/{importlib.metadata.version('decklog')}"


def _given(params: Params | None) -> dict[str, str | int | bool | Sequence[str]]:
    return {name: value for name, value in (params or {}).items() if value is not None}


def _decoded(response: httpx.Response) -> Any:
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
