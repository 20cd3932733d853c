"""The local trigger: `POST /trigger?source=NAME` has a source looked at now, for Git hooks and people in a hurry."""

from collections.abc import Callable, Collection

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from decklog.model import door
from decklog.model.denials import Denial
from decklog.runtime import ops

log = structlog.get_logger(__name__)

ROUTE = "/trigger"


def add(
    app: FastAPI,
    *,
    token: bytes,
    hosts: Collection[str],
    poke: Callable[[str], bool],
    refused: Callable[[Denial], None],
) -> None:
    """Add the route. `poke`: False if the source is not followed here."""

    @app.post(ROUTE)
    async def trigger(request: Request, source: str = "") -> JSONResponse:
        headers = request.headers
        asked = door.Request(headers.get("host", ""), headers.get("origin"), headers.get("authorization"))
        admitted = door.admit(asked, hosts=hosts, token=token)
        if isinstance(admitted, door.Reason):
            peer = request.client.host if request.client else ""
            refused(Denial(reason=admitted.value, peer=peer, method=request.method, route=ROUTE))
            return ops.problem(admitted.status, admitted.value, "the request is refused", hint=admitted.hint)
        if not source:
            hint = f"POST {ROUTE}?source=NAME; `decklog source list` lists them"
            return ops.problem(422, "NoSource", "the request names no source", hint=hint)
        if not poke(source):
            return ops.problem(
                404,
                "NotFollowedHere",
                f"the source {source[:63]!r} is not followed by this process",
                hint="Check the name with `decklog source list`; with several members, ask the one that owns it",
            )
        log.info("triggered", source=source, by=admitted)
        return JSONResponse({"source": source, "triggered": True}, status_code=202)
