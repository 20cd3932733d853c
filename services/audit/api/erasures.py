"""Lawful erasure: what would go, the request, what became of it; and the legal holds that forbid it.

A request names leaves. Whose data they hold is asked for before and stands nowhere: neither in an event nor in an
address.
"""

from typing import Annotated, Any

import asyncpg
import orjson
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from decklog.events.v1 import control_pb2, subject_pb2
from decklog.model import errors, events, leaf_ranges, topics
from decklog.model.masking import credentials
from decklog.runtime import emitter
from services.audit.api import answering, commands, context, models, outcome, problems, statements
from services.audit.api.context import Actor, Given
from services.audit.core import erasing, expiry, leaves, orders, subjects

router = APIRouter(tags=["erasure"])

SCAN_LEAVES = 20_000
"""Leaves that one question looks at; the answer says where to go on."""
MOST_IDS = 1_000

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*[^\x00-\x20][^\x00-\x1f]*$")
]
Leaf = Annotated[int, Field(ge=0, le=2**62)]
EventId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class AskPreview(models.Asked):
    """Whose events, or which, by id or by leaf; from which leaf on."""

    subject: Annotated[str, StringConstraints(max_length=1000)] = Field(
        default="", description="a person's whole name or e-mail address, or the id of an actor, in any case"
    )
    events: list[EventId] = Field(
        default=[], max_length=MOST_IDS, description="each with all that came under its id: conflicts, too"
    )
    source: Annotated[str, StringConstraints(max_length=10_000)] = Field(
        default="", description="whose events are meant, where several sources gave the same id"
    )
    leaves: list[Leaf] = Field(
        default=[], max_length=MOST_IDS, description="of any kind: conflicts and poison have a payload, too"
    )
    first: Leaf = 0


class Erasable(BaseModel):
    """A leaf whose payload would go. `roles` say as what it names the subject.

    `kind` is `event`, `conflict` or `poison`; of poison id, source and type are what its headers said, maybe nothing.
    """

    leaf: int
    kind: str
    event_id: str
    source: str
    type: str
    time_us: int
    roles: list[str]


class Preview(BaseModel):
    """What would go, of the leaves before `next`; None where all were looked at.

    `unreadable` are leaves with a payload that cannot be searched for a person: poison, and bytes of no known type.
    """

    items: list[Erasable]
    unreadable: list[int]
    next: int | None
    size: int


class AskErasure(models.Asked):
    """The leaves `[first, end)` whose payloads are to go, and why."""

    leaves: list[tuple[Leaf, Leaf]] = Field(min_length=1, max_length=leaf_ranges.MOST)
    reason: Text = Field(description="stands in the ledger for ever: it must name nobody whose data goes")


class Copy(BaseModel):
    """A place that holds copies of what was erased, and when the last is gone; None where nothing removes them."""

    where: str
    gone_us: int | None


class ErasureAccepted(models.Accepted):
    """The request was recorded; copies that the ledger does not hold expire by themselves, or do not."""

    copies: list[Copy]


class Erasure(BaseModel):
    """What became of a request: `pending`, `refused`, or `erased`, which means projected too."""

    stage: str
    leaf: int | None


class AskHold(models.Asked):
    """A legal hold."""

    hold: Name = Field(description="what it is called, such as the number of a case")
    reason: Text


class Hold(BaseModel):
    """A legal hold that stands."""

    hold: str
    leaf: int
    placed_us: int
    actor: str
    reason: str


class Holds(BaseModel):
    """The legal holds that stand."""

    items: list[Hold]


@router.post("/erasures/preview", response_model=Preview)
async def preview_erasure(given: Given, asked: AskPreview) -> Response:
    """The events and conflicts that hold data of a subject, or the named leaves; a stretch of the ledger at a time."""
    if bool(asked.subject.strip()) == bool(asked.events or asked.leaves):
        raise problems.Problem(422, "NothingSelected", "name a subject or events, and not both")
    size = int(await given.database.value(statements.HEAD_SIZE))
    if asked.events or asked.leaves:
        items = {one["leaf"]: one for one in await _named(given, asked) + await _at(given, asked.leaves)}
        return answering.json({"items": list(items.values()), "unreadable": [], "next": None, "size": size})
    end = min(asked.first + SCAN_LEAVES, size)
    found, unreadable = list[dict[str, Any]](), list[int]()
    async for row in given.database.stream(statements.PERSONAL, asked.first, end, list(subjects.PERSONAL)):
        try:
            roles = subjects.roles(leaves.said_in(row["receipt"], row["value"]), asked.subject)
        except leaves.Undecodable:
            unreadable.append(row["leaf"])
            continue
        if roles:
            found.append(_erasable(row, roles))
    following = end if end < size else None
    return answering.json({"items": found, "unreadable": unreadable, "next": following, "size": size})


@router.post("/erasures", status_code=202, response_model=ErasureAccepted)
async def request_erasure(given: Given, actor: Actor, asked: AskErasure) -> Response:
    """Have payloads and their salts erased for ever. Refused while a legal hold stands."""
    message = control_pb2.ErasureRequested(
        actor=_principal(actor),
        reason=credentials.hide(asked.reason),
        leaves=[control_pb2.LeafRange(first=first, end=end) for first, end in asked.leaves],
    )
    size = int(await given.database.value(statements.HEAD_SIZE))
    standing = [_hold(row) for row in await given.database.fetch(statements.HOLDS)]
    if standing:
        raise problems.Problem(
            409,
            "LegalHold",
            "a legal hold stands: "
            + "; ".join(f"{one['hold']}, placed by {one['actor']}: {one['reason']}" for one in standing),
            hint="Nothing is erased until it is released: decklog legal-hold release NAME",
        )
    try:
        about = erasing.erasure(message, size, ())
    except orders.Refused as refusal:
        raise problems.Problem(422, "NotErasable", str(refusal)) from refusal
    copies = await _copies(given, about.ranges)
    said = await commands.order(given, message)
    return _accepted(said, copies=[copy._asdict() for copy in copies])


@router.get("/erasures/{event_id}", responses={200: {"model": Erasure}})
async def get_erasure(
    given: Given,
    event_id: Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")],
    timeout: Annotated[float, Query(ge=0, le=outcome.LONGEST_SECONDS, description="seconds to hold the answer")] = 0.0,
) -> Response:
    """What became of a request: at once if that is settled, else when it is or the time is over."""
    deadline = given.time.monotonic() + timeout
    while True:
        seen = given.watermark.next_leaf
        stage, leaf = await _stage(given, event_id)
        left = deadline - given.time.monotonic()
        if stage != "pending" or left <= 0 or not await given.watermark.beyond(seen, left):
            return answering.json({"stage": stage, "leaf": leaf})


@router.get("/legal-holds", response_model=Holds)
async def list_legal_holds(given: Given) -> Response:
    """The legal holds that stand."""
    return answering.items([_hold(row) for row in await given.database.fetch(statements.HOLDS)])


@router.post("/legal-holds", status_code=202, response_model=models.Accepted)
async def place_legal_hold(given: Given, actor: Actor, asked: AskHold) -> Response:
    """Forbid every erasure until the hold is released."""
    if asked.hold in await _standing(given):
        raise problems.Problem(409, "HoldStands", f"the legal hold {asked.hold!r} stands already")
    reason = credentials.hide(asked.reason)
    said = await commands.order(
        given, control_pb2.LegalHoldPlaced(hold=asked.hold, actor=_principal(actor), reason=reason)
    )
    return _accepted(said)


@router.post("/legal-holds/release", status_code=202, response_model=models.Accepted)
async def release_legal_hold(given: Given, actor: Actor, asked: AskHold) -> Response:
    """End a legal hold."""
    if asked.hold not in await _standing(given):
        raise problems.not_found("legal hold", asked.hold, hint="List them: decklog legal-hold list")
    reason = credentials.hide(asked.reason)
    said = await commands.order(
        given, control_pb2.LegalHoldReleased(hold=asked.hold, actor=_principal(actor), reason=reason)
    )
    return _accepted(said)


def _principal(actor: str) -> subject_pb2.Actor:
    return subject_pb2.Actor(id=actor, kind=subject_pb2.ACTOR_KIND_PRINCIPAL)


async def _named(given: context.Context, asked: AskPreview) -> list[dict[str, Any]]:
    """All that came under the ids that were asked for, of one source each."""
    found = [_erasable(row, []) for row in await given.database.fetch(statements.ERASABLE_IDS, asked.events)]
    of_source = [one for one in found if asked.source in ("", one["source"])]
    for identifier in asked.events:
        same = [one for one in of_source if one["event_id"] == identifier]
        if not same:
            raise problems.not_found(
                "event with a payload", identifier, hint="Look it up: decklog show; it may be erased already"
            )
        if len({one["source"] for one in same}) > 1:
            said = "; ".join(f"{one['source']} (leaf {one['leaf']})" for one in same)
            raise problems.Problem(
                409,
                "AmbiguousId",
                f"several sources gave the id {identifier}: {said}",
                hint="Say which is meant with --source, or name the leaves",
            )
    return of_source


async def _at(given: context.Context, numbers: list[int]) -> list[dict[str, Any]]:
    found = {row["leaf"]: row for row in await given.database.fetch(statements.ERASABLE_LEAVES, numbers)}
    for number in numbers:
        if number not in found:
            raise problems.not_found(
                "leaf with a payload", str(number), hint=f"Look it up: decklog show {number}; it may be erased already"
            )
    return [_erasable(found[number], []) for number in numbers]


def _erasable(row: asyncpg.Record, roles: list[str]) -> dict[str, Any]:
    leaf = leaves.read(row["leaf"], row["receipt"], None)
    return {
        "leaf": leaf.index,
        "kind": leaf.kind,
        "event_id": leaf.event_id,
        "source": leaf.source,
        "type": leaf.type.removeprefix(events.TYPE_PREFIX),
        "time_us": leaf.time_us or leaf.recorded_us,
        "roles": roles,
    }


async def _copies(given: context.Context, ranges: tuple[leaf_ranges.Range, ...]) -> list[expiry.Copy]:
    """Where copies are beside the ledger. Raises Problem (503) where Kafka does not say how long it keeps them."""
    firsts, ends = zip(*ranges, strict=True)
    found = await given.database.fetch(statements.TOPICS_OF_LEAVES, list(firsts), list(ends))
    newest = {row["topic"]: row["newest_us"] for row in found}
    dead_letter = topics.DEAD_LETTER.name(given.prefix)
    if any(row["poison"] for row in found):
        newest[dead_letter] = max(newest.values())
    try:
        described = await given.topics.describe(list(newest))
    except errors.Transient as error:
        raise problems.Problem(
            503, "KafkaUnknown", f"Kafka does not say how long it keeps copies: {error.problem}", hint="Try again"
        ) from error
    kept = [
        expiry.of_topic(name, described[name].settings if name in described else {}, newest[name])
        for name in sorted(newest)
    ]
    return [*kept, expiry.of_backups(given.backup_days, given.time.now_us())]


async def _stage(given: context.Context, event_id: str) -> tuple[str, int | None]:
    leaf = await given.database.value(statements.LEAF_OF_ID, event_id)
    if leaf is None:
        return "pending", None
    behind = await given.database.row(statements.ENTRY, leaf + 1)
    if behind is None or orjson.loads(behind["receipt"])["kind"] != "erasure":
        return "refused", leaf
    return ("erased" if given.watermark.next_leaf > leaf + 1 else "pending"), leaf


async def _standing(given: context.Context) -> set[str]:
    return {row["hold"] for row in await given.database.fetch(statements.HOLDS)}


def _hold(row: asyncpg.Record) -> dict[str, Any]:
    said = leaves.read(row["leaf"], row["receipt"], row["value"])
    message = said.message
    placed = message if isinstance(message, control_pb2.LegalHoldPlaced) else control_pb2.LegalHoldPlaced()
    return {
        "hold": row["hold"],
        "leaf": row["leaf"],
        "placed_us": said.time_us,
        "actor": placed.actor.id,
        "reason": placed.reason,
    }


def _accepted(said: emitter.Said, **more: Any) -> Response:
    topic, partition, offset = said.at
    coordinates = {"topic": topic, "partition": partition, "offset": offset}
    return answering.json({"event_id": said.event.id, "coordinates": coordinates, **more}, status=202)
