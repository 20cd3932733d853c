"""The door: every request passes here first. Who is neither bearer of the token nor logged in gets no further."""

from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from decklog.model import door
from decklog.model.denials import Denial
from services.audit.api import problems, sessions

ACTOR = "decklog.actor"
"""Key of the scope under which the subject stands, once it is known."""

UNLOCKED = frozenset({"/login"})
"""Paths that make a session; Host and Origin are checked there too. Static files tell nothing (`/static/`)."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

HEADERS = (
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What opens the door."""

    token: bytes
    hosts: frozenset[str]
    sessions: sessions.Sessions
    is_public: Callable[[str], bool]
    """Which paths need no token, whatever host they are asked under."""


class Door:
    """ASGI middleware around the whole application."""

    def __init__(
        self, app: ASGIApp, *, lock: Lock, refused: Callable[[Denial], None], route_of: Callable[[Scope], str]
    ) -> None:
        self._app = app
        self._lock = lock
        self._refused = refused
        self._route_of = route_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, or refuse and count."""
        if scope["type"] != "http":
            return  # neither lifespan nor websockets are offered
        admitted = _admit(scope, self._lock)
        if isinstance(admitted, str):
            scope[ACTOR] = admitted
            await self._app(scope, receive, _hardened(send))
            return
        self._refused(self._denial(scope, admitted))
        await _refusal(scope, admitted)(scope, receive, _hardened(send))

    def _denial(self, scope: Scope, reason: door.Reason) -> Denial:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        return Denial(reason=reason.value, peer=peer(scope), method=method, route=self._route_of(scope))


def peer(scope: Scope) -> str:
    """Address of the other side."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _admit(scope: Scope, lock: Lock) -> str | door.Reason:
    """The subject that is let in (empty where none is needed), or why nobody is."""
    if scope["method"] in ("GET", "HEAD") and lock.is_public(scope["path"]):
        return ""
    headers = Headers(scope=scope)
    request = door.Request(headers.get("host", ""), headers.get("origin"), headers.get("authorization"))
    wrong = door.foreign(request, lock.hosts)
    if wrong is not None:
        return wrong
    path = scope["path"]
    if path in UNLOCKED or path.startswith("/static/"):
        return ""
    if request.authorization is None:
        by_session = subject_of(scope, lock.sessions)
        if by_session is not None:
            return _by_session(scope, request, by_session)
    return door.admit(request, hosts=lock.hosts, token=lock.token)


def subject_of(scope: Scope, known: sessions.Sessions) -> str | None:
    """Whom the session of a request stands for; None if it has none that is valid."""
    return known.subject(_cookie(Headers(scope=scope).get("cookie", ""), known.cookie))


def _by_session(scope: Scope, request: door.Request, subject: str) -> str | door.Reason:
    """A browser sends its cookie unasked: what changes something must come from our own page, provably."""
    changes = scope["method"] not in ("GET", "HEAD")
    return door.Reason.FOREIGN_ORIGIN if changes and request.origin is None else subject


def _cookie(header: str, name: str) -> str | None:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return found.value if found else None


def _refusal(scope: Scope, reason: door.Reason) -> ASGIApp:
    if reason is door.Reason.MISSING_TOKEN and problems.is_page(scope["path"], Headers(scope=scope).get("accept", "")):
        return _to_login
    problem = problems.Problem(reason.status, reason.value, _WORDS[reason], hint=reason.hint)
    return problems.response(problem, where=f"{scope['method']} {scope['path']}")


async def _to_login(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 (ASGI's shape)
    await send({"type": "http.response.start", "status": 303, "headers": [(b"location", b"/login")]})
    await send({"type": "http.response.body", "body": b""})


_WORDS = {
    door.Reason.FOREIGN_HOST: "the request names another host than this one",
    door.Reason.FOREIGN_ORIGIN: "the request comes from a page of another site",
    door.Reason.MISSING_TOKEN: "the request carries no token",
    door.Reason.WRONG_TOKEN: "the request carries a token that is not this installation's",
}


def _hardened(send: Send) -> Send:
    async def with_headers(message: object) -> None:
        if isinstance(message, dict) and message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *HEADERS]
        await send(message)  # type: ignore[arg-type]

    return with_headers
