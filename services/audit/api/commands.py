"""Commands: what a caller wants becomes an event, or is refused with a reason. Nothing is half done."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Response

from decklog.events.v1 import control_pb2, fleet_pb2, subject_pb2
from decklog.model import errors
from decklog.model.masking import credentials
from decklog.runtime import emitter, names, telemetry
from services.audit.api import answering, context, models, problems, statements
from services.audit.api.context import Actor, Given
from services.audit.core import confirming, declaring, orders

router = APIRouter(tags=["commands"])
T = TypeVar("T")

FOLLOW_SECONDS = 2.0
"""How long a command waits for our own fold of the fleet: before it is decided, and for what it declared itself."""

LEDGER = "@ledger/@ledger"
"""Key of events that tell the ledger itself something: they are about no application."""

Name = Annotated[str, Path(max_length=253)]
Reason = Annotated[str, Query(max_length=1000)]


@router.post("/applications", status_code=202, response_model=models.Accepted)
async def create_application(given: Given, actor: Actor, asked: models.CreateApplication) -> Response:
    """Declare an application; with `repo`, reuse the source of that repository or declare one."""
    by = _author(given, actor, asked.reason)
    return await _declare(given, lambda now: declaring.create(now, asked.name, asked.spec, asked.repo, by))


@router.put("/applications/{name}", status_code=202, response_model=models.Accepted)
async def change_application(given: Given, actor: Actor, name: Name, asked: models.ChangeApplication) -> Response:
    """Change an application that was declared through the API."""
    by = _author(given, actor, asked.reason)
    return await _declare(given, lambda now: declaring.change(now, name, asked.spec, by))


@router.patch("/applications/{name}", status_code=202, response_model=models.Accepted)
async def alter_application(given: Given, actor: Actor, name: Name, asked: models.AlterApplication) -> Response:
    """Change the named fields of an application that was declared through the API; the others stay as they are."""
    by = _author(given, actor, asked.reason)
    return await _declare(given, lambda now: declaring.alter(now, name, asked.spec, by))


@router.delete("/applications/{name}", status_code=202, response_model=models.Accepted)
async def delete_application(
    given: Given,
    actor: Actor,
    name: Name,
    objects: Annotated[declaring.Objects, Query(description="what becomes of its objects in the cluster")],
    reason: Reason = "",
) -> Response:
    """Remove an application's declaration, and say what becomes of its objects: `cascade` or `keep`."""
    by = _author(given, actor, reason)
    return await _declare(given, lambda now: declaring.remove(now, name, objects, by))


@router.delete("/sources/{name}", status_code=202, response_model=models.Accepted)
async def delete_source(given: Given, actor: Actor, name: Name, reason: Reason = "") -> Response:
    """Remove a source's declaration, once no application uses it."""
    by = _author(given, actor, reason)
    return await _declare(given, lambda now: declaring.remove_source(now, name, by))


@router.post("/applications/{name}/sync", status_code=202, response_model=models.Accepted)
async def request_sync(given: Given, actor: Actor, name: Name, asked: models.RequestSync) -> Response:
    """Ask for a sync now, whatever the mode."""
    spec = (await _fleet(given)).application(name)
    if spec is None:
        raise problems.not_found("application", name)
    commit = await _commit(given, spec.source, asked.commit) if asked.commit else ""
    message = control_pb2.SyncRequested(
        application=subject_pb2.ApplicationRef(cluster=spec.dest_cluster, application=name),
        actor=subject_pb2.Actor(id=actor, kind=subject_pb2.ACTOR_KIND_PRINCIPAL),
        reason=credentials.hide(asked.reason),
        commit=commit,
        prune=asked.prune,
        dry_run=asked.dry_run,
    )
    scope = f"{spec.dest_cluster}/{name}"
    (said,) = await say(given, [emitter.Emission(message=message, key=scope, subject=scope, name=spec.dest_cluster)])
    return _accepted(said)


@router.post("/clusters/{name}/confirm", status_code=202, response_model=models.Accepted)
async def confirm_cluster(given: Given, actor: Actor, name: Name, asked: models.ConfirmCluster) -> Response:
    """Confirm that the other cluster that a name points at is meant; until then nothing is written to it."""
    now, by = await _fleet(given), _author(given, actor, asked.reason)
    message = _decided(lambda: confirming.confirm(now, name, asked.uid, by))
    key = f"cluster/{name}"
    (said,) = await say(given, [emitter.Emission(message=message, key=key, subject=key, name="api")])
    await given.fleet.reached(said.at.offset, FOLLOW_SECONDS)
    return _accepted(said)


async def _fleet(given: context.Context) -> declaring.Fleet:
    """The fleet with all that was declared before this command came: without it, precedence could not be decided.

    Raises Transient or Problem (503) where Kafka or our own fold of the fleet topic does not keep up.
    """
    if not given.fleet.ready:
        raise errors.Transient(
            "the fleet is not known yet",
            where="fleet topic",
            hint="Try again in a moment; /readyz says what is awaited",
        )
    try:
        caught_up = await given.fleet.caught_up(given.positions, FOLLOW_SECONDS)
    except errors.Transient as error:
        raise _not_recorded(f"Kafka does not tell what is declared: {error.problem}", "Try again", error) from error
    if not caught_up:
        raise errors.Transient(
            f"what was declared last is not known after {FOLLOW_SECONDS:g} s",
            where="fleet topic",
            hint="Try again in a moment; /readyz says what is awaited",
        )
    return given.fleet.current


def _author(given: context.Context, actor: str, reason: str) -> declaring.Author:
    return declaring.Author(actor=actor, reason=credentials.hide(reason), request_id=given.entropy(8).hex())


def _decided(decide: Callable[[], T]) -> T:
    try:
        return decide()
    except declaring.Refusal as refusal:
        raise problems.Problem(refusal.status, refusal.reason, refusal.detail, hint=refusal.hint) from refusal


async def _commit(given: context.Context, source: str, prefix: str) -> str:
    """The whole id of a commit that was observed in the source."""
    found = await given.database.fetch(statements.COMMITS_LIKE, source, prefix)
    if not found:
        raise problems.not_found(f"commit of {source}", prefix, hint="Push it, or look it up: `git log`")
    if len(found) > 1 and found[0]["commit"] != prefix:
        raise problems.Problem(
            409, "AmbiguousCommit", f"more than one commit begins with {prefix}", hint="Give more of it"
        )
    return str(found[0]["commit"])


async def _declare(given: context.Context, decide: Callable[[declaring.Fleet], list[declaring.Message]]) -> Response:
    """All in one go and in order; the answer names the last, which is what was asked for.

    One at a time, until it is folded in: of two callers that change a field each, neither may undo the other's.
    """
    async with given.declares:
        now = await _fleet(given)
        said = (await say(given, [_emission(message) for message in _decided(lambda: decide(now))]))[-1]
        await given.fleet.reached(said.at.offset, FOLLOW_SECONDS)
    return _accepted(said)


def _emission(message: declaring.Message) -> emitter.Emission:
    kind = "source" if isinstance(message, fleet_pb2.SourceDeclared | fleet_pb2.SourceRemoved) else "application"
    key = f"{kind}/{message.name}"
    return emitter.Emission(message=message, key=key, subject=key, name="api")


async def say(given: context.Context, emissions: list[emitter.Emission]) -> list[emitter.Said]:
    """One attempt within the producer's delivery time: a caller is told the truth instead of being kept waiting."""
    try:
        with telemetry.span(names.SPAN_COMMAND, attributes={names.BATCH: len(emissions)}):
            return await given.voice.deliver([given.voice.seal(emission) for emission in emissions])
    except errors.Transient as error:
        hint = "Try again; should it have been recorded all the same, the timeline will show it"
        raise _not_recorded(f"Kafka did not acknowledge the event: {error.problem}", hint, error) from error


async def order(given: context.Context, message: orders.Order) -> emitter.Said:
    """Say an order to the ledger itself; see `say`."""
    (said,) = await say(given, [emitter.Emission(message=message, key=LEDGER, subject=LEDGER, name="api")])
    return said


def _not_recorded(detail: str, hint: str, error: errors.Transient) -> problems.Problem:
    return problems.Problem(503, "NotRecorded", detail, where=error.where, hint=hint)


def _accepted(said: emitter.Said) -> Response:
    topic, partition, offset = said.at
    coordinates = {"topic": topic, "partition": partition, "offset": offset}
    return answering.json({"event_id": said.event.id, "coordinates": coordinates}, status=202)
