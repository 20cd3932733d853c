"""The published log as operators and auditors ask for it: its name, its keys, and the change of a key."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from decklog.events.v1 import subject_pb2
from decklog.model.masking import credentials
from decklog.model.tlog import policy, rotation
from services.audit.api import answering, commands, context, models, problems, statements, tlog
from services.audit.api.context import Actor, Given
from services.audit.core import orders, rotating
from services.audit.publisher import ring

router = APIRouter(tags=["log"])

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]


class AskRotation(models.Asked):
    """A step of the change of the log's key, and why."""

    step: rotating.Step
    reason: Text = Field(description="stands in the ledger for ever")


class RotationAccepted(models.Accepted):
    """The request was recorded: from its leaf on `vkey` signs, with `beside`, or alone when `retired` is told."""

    vkey: str
    beside: str
    retired: str


@router.get("/log", responses={200: {"model": models.Log}})
async def get_log(given: Given) -> Response:
    """The published log: what an auditor must know to check it. Its files are at the root of this server."""
    keys = _ring(given)
    served = await asyncio.to_thread(tlog.served_size, given.log) if given.log is not None else 0
    now = (await rotations(given)).now
    said: dict[str, Any] = {
        "origin": keys.name,
        "vkey": keys.vkeys[0] if now is None else now.vkey,
        "mldsa44_vkey": None if keys.second is None else str(keys.second.verifier),
        "beside": None if now is None else now.beside,
        "rotated": None if now is None else now.leaf,
        "size": served,
        "minimum_index": given.log_minimum,
    }
    return answering.json(said)


@router.post("/log/rotation", status_code=202, response_model=RotationAccepted)
async def rotate_key(given: Given, actor: Actor, asked: AskRotation) -> Response:
    """Have the key that signs the log replaced: begin, then finish or abort. Each step is a leaf of the log."""
    keys = _ring(given)
    served = await asyncio.to_thread(_served, given, keys)
    try:
        order = rotating.request(asked.step, keys.vkeys, await rotations(given), served)
    except orders.Refused as refusal:
        raise problems.Problem(409, "NoRotation", str(refusal)) from refusal
    order.actor.CopyFrom(subject_pb2.Actor(id=actor, kind=subject_pb2.ACTOR_KIND_PRINCIPAL))
    order.reason = credentials.hide(asked.reason)
    said = await commands.order(given, order)
    topic, partition, offset = said.at
    coordinates = {"topic": topic, "partition": partition, "offset": offset}
    named = {"vkey": order.vkey, "beside": order.beside, "retired": order.retired}
    return answering.json({"event_id": said.event.id, "coordinates": coordinates, **named}, status=202)


async def rotations(given: context.Context) -> rotation.Rotations:
    """What the log says of its keys."""
    return rotation.Rotations(
        tuple(rotation.Rotation(*row) for row in await given.database.fetch(statements.ROTATIONS))
    )


def _ring(given: context.Context) -> ring.Ring:
    """The log's keys. Raises Problem where none is published, or it has no name yet."""
    keys = given.log_keys()
    if given.log is None:
        raise problems.Problem(404, "NotPublished", "this server publishes no log", hint=tlog.NOT_PUBLISHED)
    if keys is None:
        hint = "Ask again; `decklog status` says what is waited for"
        raise problems.Problem(503, "NotReady", "the log has no name yet", hint=hint)
    return keys


def _served(given: context.Context, keys: ring.Ring) -> tuple[int, list[str]]:
    """How many leaves the served checkpoint has, and which of our keys signed it."""
    found = None if given.log is None else tlog.served(given.log)
    if found is None:
        return 0, []
    return found.tree.size, [str(one.verifier) for one in keys.held if policy.is_signed(found.signed, one.verifier)]
