"""`decklog admin repair state`: reconcile's state topic, written again from the ledger."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import typer

from decklog.adapters import system
from decklog.adapters.kafka import admin, connection, groups, producer, reader
from decklog.adapters.postgres import ledger as postgres
from decklog.cli import stores
from decklog.model import errors, topics
from decklog.ports import stream
from decklog.runtime import emitter, logs
from decklog.runtime import topics as runtime_topics
from services.reconcile import assembly, fleet, following, ledgered, recovery, repair, state

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="Make again what a service remembers.", no_args_is_help=True
)

EXIT_INCOMPLETE = 1
_INSTALLATION_SECONDS = 30.0
_LOOK_SECONDS = 0.5

Tell = Callable[[str], None]


@app.callback()
def _group() -> None:
    """Make again what a service remembers."""


@app.command("state")
def state_command(
    kafka: stores.Kafka,
    uri: stores.Postgres,
    prefix: stores.Prefix = topics.DEFAULT_PREFIX,
    wait: float = typer.Option(
        20.0, "--wait", min=0.0, help="Seconds for a stopped member to count no longer.", metavar="SECONDS"
    ),
) -> None:
    """Write reconcile's state topic again, from the ledger. Stop every member of reconcile before.

    What stands in Kafka beyond the ledger is folded in, too. Exit code 1 if a partition cannot be made whole, because
    something that was said is not in the ledger.
    """
    logs.configure("admin", "error")
    failed = asyncio.run(_Workshop(kafka, uri, prefix).carry_out(typer.echo, wait=wait))
    for error in failed:
        typer.echo(f"{error.where}: {error.problem}\n  {error.hint}", err=True)
    if failed:
        raise typer.Exit(EXIT_INCOMPLETE)


class _Workshop:
    """The real parts of one run."""

    def __init__(self, kafka: str, postgres_uri: str, prefix: str) -> None:
        self._uri = postgres_uri
        self._prefix = prefix
        self._kafka = connection.Connection(bootstrap=kafka, client_id="decklog-admin")
        self._group = groups.KafkaGroup(
            self._kafka, group=f"{prefix}.{assembly.GROUP}", topic=topics.CONTROL.name(prefix)
        )
        self._producer = producer.KafkaProducer(self._kafka)
        self._reader = reader.KafkaReader(self._kafka)
        self._member = f"repair-{uuid.uuid4()}"

    async def carry_out(self, tell: Tell, *, wait: float) -> list[errors.DecklogError]:
        """Repair every partition; returns why some could not be. `wait`: seconds for members to be gone."""
        try:
            await self._topics_checked()
            await self._everybody_gone(wait)
            found = await self._ledger()
            voice = self._voice(await self._installation())
            failed = await self._all(found, voice, tell)
            await self._everybody_gone(0.0)
        finally:
            for part in (self._group, self._producer, self._reader):
                await part.close()
        return failed

    async def _topics_checked(self) -> None:
        port = admin.KafkaTopics(self._kafka)
        try:
            await runtime_topics.check(port, self._prefix)
        finally:
            await port.close()

    async def _everybody_gone(self, wait: float) -> None:
        """Return when nobody belongs to the group. A member that has stopped does until its session is over."""
        time = system.SystemClock()
        deadline = time.monotonic() + wait
        while members := await self._group.members():
            if time.monotonic() >= deadline:
                raise errors.Refused(
                    f"{_count(members, 'member')} of reconcile at work, and the state is theirs to write",
                    where=f"group {self._prefix}.{assembly.GROUP}",
                    hint="Stop every member of reconcile, then run this again",
                )
            await time.sleep(_LOOK_SECONDS)

    async def _ledger(self) -> ledgered.Ledgered:
        source = await postgres.PostgresReader.connect(self._uri)
        try:
            return await ledgered.read(source.entries(0, (await source.head()).size), prefix=self._prefix)
        finally:
            await source.close()

    async def _installation(self) -> str:
        """The installation's id, from the fleet topic."""
        declared = fleet.FleetFollower(
            following.Follower(self._reader, system.SystemClock(), lost=_out_of_range),
            self._reader,
            prefix=self._prefix,
        )
        try:
            async with asyncio.timeout(_INSTALLATION_SECONDS):
                await declared.start()
        except TimeoutError:
            raise errors.Refused(
                "nothing was ever declared", where=topics.FLEET.name(self._prefix), hint="Check the topic prefix"
            ) from None
        return declared.current.installation

    def _voice(self, installation: str) -> emitter.Emitter:
        return emitter.Emitter(
            self._producer,
            service="reconcile",
            installation=lambda: installation,
            prefix=self._prefix,
            time=system.SystemClock(),
            entropy=system.entropy,
        )

    async def _all(self, found: ledgered.Ledgered, voice: emitter.Emitter, tell: Tell) -> list[errors.DecklogError]:
        numbers = range(topics.STATE.partitions)
        ended = await asyncio.gather(*(self._one(number, found, voice) for number in numbers))
        done = [one for one in ended if isinstance(one, repair.Repaired)]
        applications, objects = sum(one.applications for one in done), sum(one.objects for one in done)
        tell(
            f"{len(done)} of {topics.STATE.partitions} partitions repaired from {found.leaves} leaves: "
            f"{_count(applications, 'application')}, {_count(objects, 'object')}"
        )
        return [one for one in ended if isinstance(one, errors.DecklogError)]

    async def _one(
        self, number: int, found: ledgered.Ledgered, voice: emitter.Emitter
    ) -> repair.Repaired | errors.DecklogError:
        """Repair a partition, with a reader of its own as whoever takes one over has; or why it could not be."""
        place = state.Place(self._prefix, number)
        source = reader.KafkaReader(self._kafka)
        recover = recovery.Recovery(source, self._producer, place, committed=self._committed(number))
        one = repair.Repair(member=self._member, voice=voice, producer=self._producer, place=place, recover=recover)
        try:
            return await one.carry_out(found)
        except (repair.Incomplete, repair.Interrupted) as error:
            return error
        finally:
            await source.close()

    def _committed(self, number: int) -> Callable[[], Awaitable[int | None]]:
        return lambda: self._group.committed(number)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _out_of_range(error: stream.OutOfRange) -> None:
    raise error
