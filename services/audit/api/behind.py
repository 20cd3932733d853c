"""What keeps the record from being up to date, said beside every answer that is read from it.

An answer stays what it is for programs; for people a `Warning` header goes with it, as the Kubernetes API sends one
and kubectl prints it (KEP-1693, in the form of RFC 7234 section 5.5).
"""

from collections.abc import Callable, Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from decklog.model import printable
from decklog.runtime import ops

_CARRIERS: Final = frozenset({"sequencer", "projector"})
"""Parts of audit that carry an event from Kafka to the tables; those of a halted topic are named after it."""
_MOST: Final = 1000
"""Characters of a warning."""


def told(reasons: Mapping[str, str]) -> list[str]:
    """A sentence for each part that carries events and does not work, given every part's reason not to."""
    return [
        f"the record may be behind: {part}: {reason}"
        for part, reason in reasons.items()
        if part in _CARRIERS or part.startswith("topic ")
    ]


def header(text: str) -> tuple[bytes, bytes]:
    """A text as a `Warning` header: quoted, and what is not ASCII or does not show written out."""
    line = printable.shown(" ".join(text[:_MOST].split())).encode("ascii", "backslashreplace").decode()
    quoted = line.replace("\\", "\\\\").replace('"', '\\"')
    return b"warning", f'299 decklog "{quoted}"'.encode()


class Warned:
    """ASGI middleware: adds the headers to what is read where `concerns` says so of its path."""

    def __init__(self, app: ASGIApp, readiness: ops.Readiness, concerns: Callable[[str], bool]) -> None:
        self._app = app
        self._readiness = readiness
        self._concerns = concerns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Warned`."""

        async def warned(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [header(text) for text in told(self._readiness.reasons)]
                message["headers"] = [*message.get("headers", []), *more]
            await send(message)

        concerned = scope["type"] == "http" and scope["method"] == "GET" and self._concerns(scope["path"])
        await self._app(scope, receive, warned if concerned else send)
