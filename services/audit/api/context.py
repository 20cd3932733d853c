"""What the endpoints work with, made once and given to the application."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from decklog.model.denials import Denial
from decklog.model.tlog import policy
from decklog.ports import clock, stream
from decklog.runtime import emitter, ops
from services.audit.api import complaints, database, fleet, problems, sessions, statements, watermark
from services.audit.api.door import ACTOR
from services.audit.publisher import folder, ring

AFTER_SECONDS = 10.0
"""How long a read waits for the event it is to come after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything an endpoint may use."""

    database: database.Database
    watermark: watermark.Watermark
    fleet: fleet.FleetView
    declares: asyncio.Lock
    """Held while something is declared: each declaration is decided on top of the one before."""
    voice: emitter.Emitter
    positions: stream.Reader
    """Asked for end offsets only."""
    topics: stream.Topics
    """Asked how long they keep what they hold."""
    prefix: str
    """Of the topics' names."""
    backup_days: int | None
    """How long backups are kept; None where nobody said."""
    sessions: sessions.Sessions
    refused: Callable[[Denial], None]
    readiness: ops.Readiness
    log: folder.LogFolder | None
    """The published log; None where none is."""
    log_minimum: int
    """The minimum index: what lies before that leaf is not given out."""
    log_policy: policy.Policy | None
    """Whose cosignatures are asked for; None where nobody's are."""
    log_stamped: bool
    """Whether an authority is asked for time stamps."""
    log_keys: Callable[[], ring.Ring | None]
    """With what its checkpoints are signed; None where nobody does, or the log has no name yet."""
    stopping: asyncio.Event
    """Set when the service stops: streams would otherwise outlive any drain."""
    time: clock.Clock
    entropy: Callable[[int], bytes]


def of(request: Request) -> Context:
    """The context of the application that serves the request."""
    context: Context = request.app.state.context
    return context


def actor_of(request: Request) -> str:
    """The subject that the door let in."""
    return str(request.scope[ACTOR])


async def leaf_of(context: Context, event_id: str, seconds: float) -> int | None:
    """The leaf of an event once it is projected; None if it is not within the time."""
    deadline = context.time.monotonic() + seconds
    while True:
        seen = context.watermark.next_leaf
        leaf = await context.database.value(statements.LEAF_OF_ID, event_id)
        left = deadline - context.time.monotonic()
        if leaf is not None:
            return int(leaf) if await context.watermark.beyond(leaf, max(left, 0.001)) else None
        if left <= 0 or not await context.watermark.beyond(seen, left):
            return None


async def caught_up(
    request: Request,
    after: Annotated[
        str | None,
        Query(
            description="id of an event that the answer must already reflect",
            pattern=complaints.EVENT,
        ),
    ] = None,
) -> None:
    """Hold a read until the given event is projected."""
    if after is None or await leaf_of(of(request), after, AFTER_SECONDS) is not None:
        return
    raise problems.Problem(
        504,
        "NotProjectedYet",
        f"event {after} is not in the projections after {AFTER_SECONDS:.0f} s",
        hint="Ask again; `decklog status` says how far the ledger and its projections are behind Kafka",
    )


Given = Annotated[Context, Depends(of)]
Actor = Annotated[str, Depends(actor_of)]
