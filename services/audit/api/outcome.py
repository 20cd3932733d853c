"""What became of a command: `--wait recorded|synced|healthy`."""

from typing import Annotated

import asyncpg
from fastapi import APIRouter, Path, Query, Response
from google.protobuf.message import Message

from decklog.events.v1 import control_pb2, fleet_pb2
from services.audit.api import answering, context, models, problems, statements
from services.audit.api.context import Given
from services.audit.core import leaves, outcome

router = APIRouter(tags=["commands"])

LONGEST_SECONDS = 50.0
"""Below what clients and proxies take for a dead connection: who wants to wait longer asks again."""

EventId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


@router.get("/events/{event_id}/outcome", responses={200: {"model": models.Outcome}})
async def get_outcome(
    given: Given,
    event_id: EventId,
    until: outcome.Until = outcome.Until.RECORDED,
    timeout: Annotated[float, Query(ge=0, le=LONGEST_SECONDS, description="seconds to hold the answer")] = 0.0,
) -> Response:
    """How far the command came: at once if that is far enough or it failed, else when it is or the time is over."""
    deadline = given.time.monotonic() + timeout
    while True:
        seen = given.watermark.next_leaf
        found = outcome.decide(await _standing(given, event_id), until)
        left = deadline - given.time.monotonic()
        if found.reached(until) or left <= 0 or not await given.watermark.beyond(seen, left):
            return answering.json(
                {
                    "stage": found.stage.value,
                    "reached": found.reached(until),
                    "failure": found.failure,
                    "sync_id": found.sync_id,
                }
            )


async def _standing(given: context.Context, event_id: str) -> outcome.Standing:
    leaf = await given.database.value(statements.LEAF_OF_ID, event_id)
    if leaf is None or leaf >= given.watermark.next_leaf:
        return outcome.Standing(leaf=None)
    command = await _command(given, leaf)
    name = _application_of(command)
    row = await given.database.row(statements.APPLICATION, name) if name else None
    if row is None:
        return outcome.Standing(leaf=leaf)
    asked = command if isinstance(command, control_pb2.SyncRequested) else None
    sync = await _sync(given, name, event_id, leaf if asked is None else None)
    return outcome.Standing(
        leaf=leaf,
        application=name,
        mode=(row["spec"] or {}).get("mode", ""),
        requested=asked is not None,
        commit_known=bool(row["available_commit"] or (asked is not None and asked.commit)),
        sync=sync,
        sync_status=row["sync_status"],
        render_failure=(row["failures"] or {}).get("render"),
        source_failure=row["source_failure"],
        cluster_failure=row["cluster_failure"],
        health=row["health"],
        health_message=row["health_message"],
    )


async def _command(given: context.Context, leaf: int) -> Message | None:
    record = await given.database.row(statements.ENTRY, leaf)
    if record is None:
        raise problems.not_found("leaf", str(leaf))
    return leaves.read(leaf, record["receipt"], record["value"]).message


def _application_of(command: Message | None) -> str:
    """The application that a command is about; empty where there is nothing to sync."""
    match command:
        case control_pb2.SyncRequested():
            return command.application.application
        case fleet_pb2.ApplicationDeclared():
            return command.name
        case _:
            return ""


async def _sync(given: context.Context, name: str, event_id: str, after: int | None) -> outcome.Sync | None:
    """The sync it caused; for a declaration also any that started later."""
    row: asyncpg.Record | None = (
        await given.database.row(statements.SYNC_CAUSED, event_id)
        if after is None
        else await given.database.row(statements.SYNC_AFTER, name, event_id, after)
    )
    if row is None:
        return None
    return outcome.Sync(
        sync_id=row["sync_id"], outcome=row["outcome"], failure=row["failure"], finished_us=row["finished_us"]
    )
