"""A whole run of one seed: the plan, the storm, the calm, and what the checkers say of it."""

import asyncio
import hashlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from google.protobuf.message import Message

from decklog.adapters.memory import ledger as memory_ledger
from decklog.model import topics
from tests.simulation import audit, converged, history, life, loop, people, reconcile, schedule, tables, weather
from tests.simulation.promises import (
    cause_before_effect,
    exactly_once,
    late_words,
    nothing_lost,
    nothing_unmasked,
    record_before_act,
    replay_equals_live,
    unknown_is_not_in_sync,
)
from tests.simulation.world import World

SETTLED_SECONDS = 20.0
"""How long everything must stay well before it counts."""
LOOK_EVERY_SECONDS = 5.0
MOST_ENTRIES = 8_000
"""More than any storm needs; a service that says or tries something again and again passes it soon."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a seed."""

    plan: schedule.Plan
    entries: tuple[history.Entry, ...]
    violations: tuple[history.Violation, ...]
    passed: dict[str, int]
    crashed_at: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Names all that happened: the same seed gives the same digest."""
        return hashlib.sha256("\n".join(map(repr, self.entries)).encode()).hexdigest()

    def report(self) -> str:
        """What a person needs to see a failure, and to run it again."""
        lines = [f"{one.promise}: {one.what}" for one in self.violations[:20]]
        again = f".venv/bin/python -m tests.simulation --seeds 1 --from {self.plan.seed} --trace"
        return "\n".join([*lines, "", str(self.plan), "", f"run it again: {again}"])

    def trace(self) -> str:
        """Everything that happened, a line each."""
        marks = {one.at: one for one in self.violations if one.at >= 0}
        lines = [
            f"{at:6}  {line(entry)}" + (f"   <== {marks[at].promise}: {marks[at].what}" if at in marks else "")
            for at, entry in enumerate(self.entries)
        ]
        return "\n".join(lines)


def run(seed: int, plan: schedule.Plan | None = None) -> Result:
    """Run a seed (or a plan of one's own) from beginning to end."""
    chosen = plan or schedule.draw(seed)
    world = World(seed)
    try:
        with _logs_into(world):
            violations = loop.run(world.clock, lambda: _carry_out(world, chosen))
    finally:
        world.close()
    entries = tuple(world.entries)
    found = (*violations, *_broken_promises(world, entries))
    return Result(chosen, entries, found, world.processes.passed, tuple(world.processes.crashed_at))


async def _carry_out(world: World, plan: schedule.Plan) -> list[history.Violation]:
    asyncio.get_running_loop().set_exception_handler(_report_into(world))
    world.processes.mains.update({"audit": audit.main_of(world), "reconcile": reconcile.main_of(world)})
    above = weather.Weather(world)
    office = asyncio.create_task(world.office.run(), name="office")
    world.people.open(plan.modes)
    for service in ("audit", "reconcile"):
        world.processes.start(service)
    await above.storm(plan)
    await above.clear()
    apart = await _calm(world)
    replayed = await tables.replay(memory_ledger.MemoryLedgerReader(world.ledger), size=7)
    await above.close()
    await world.processes.end()
    office.cancel()
    await asyncio.gather(office, return_exceptions=True)
    return [
        *(history.Violation("everything comes together", what) for what in apart),
        *(history.Violation("services do not end by themselves", what) for what in world.processes.complaints),
        *replay_equals_live.check(world.tables.by_name(), replayed.by_name()),
    ]


async def _calm(world: World) -> list[str]:
    """Wait until all is well and stays so; what is not, after the longest retry."""
    deadline = world.clock.monotonic() + schedule.CALM_SECONDS
    well_since: float | None = None
    while True:
        await world.office.done()
        apart = converged.differences(world)
        now = world.clock.monotonic()
        well_since = None if apart else (well_since if well_since is not None else now)
        if len(world.entries) > MOST_ENTRIES:
            return [f"it never comes to rest: {len(world.entries)} things happened until {now:.0f} s", *apart]
        if now > deadline or (well_since is not None and now - well_since >= SETTLED_SECONDS):
            return apart
        await world.clock.sleep(LOOK_EVERY_SECONDS)


def _broken_promises(world: World, entries: tuple[history.Entry, ...]) -> Iterator[history.Violation]:
    outcome = world.outcome()
    sequenced = frozenset(topic.name(people.PREFIX) for topic in topics.SEQUENCED)
    yield from record_before_act.check(entries)
    yield from cause_before_effect.check(entries)
    yield from unknown_is_not_in_sync.check(entries)
    yield from exactly_once.check(outcome)
    yield from late_words.check(entries, outcome, world.tables.by_name())
    yield from nothing_lost.check(entries, outcome, sequenced=sequenced, dead_letters=world.name("dead-letter"))
    secrets = [people.secret_of(name).encode() for name in schedule.APPLICATIONS]
    leaves = [(f"leaf {number}", leaf.receipt + (leaf.value or b"")) for number, leaf in enumerate(outcome.leaves)]
    yield from nothing_unmasked.check(entries, secrets=secrets, texts=[*world.texts, *leaves])


@contextmanager
def _logs_into(world: World) -> Iterator[None]:
    """Keep every log line: promise 6 holds for them too, and an unexpected error in one is a finding."""

    def keep(_: Any, level: str, event: Any) -> str:
        trouble = event.get("exc_info")
        if level in ("error", "exception", "critical") and trouble:
            world.processes.complaints.append(f"{event.get('event')}: {_words(trouble)}")
        event.pop("exc_info", None)
        world.texts.append((f"log line {event.get('event')!r}", repr(event).encode() + _words(trouble).encode()))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, keep], cache_logger_on_first_use=False,
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )  # fmt: skip
    try:
        yield
    finally:
        structlog.configure(**before)


def _words(trouble: Any) -> str:
    if not trouble:
        return ""
    error = trouble if isinstance(trouble, BaseException) else sys.exc_info()[1]
    return "".join(traceback.format_exception(error)) if error is not None else ""


def _report_into(world: World) -> Any:
    """What asyncio would only print is a finding, unless it is the end of a killed instance."""

    def report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, life.Killed) and not _only_killed(error):
            world.processes.complaints.append(f"{context.get('message')}: {_words(error)}")

    return report


def _only_killed(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only_killed(inner) for inner in error.exceptions)
    return isinstance(error, life.Killed)


def line(entry: history.Entry) -> str:
    """One entry of a trace."""
    match entry:
        case history.Stored():
            record, said = entry.record, entry.message
            name = said.DESCRIPTOR.name if said is not None else "-"
            told = "" if entry.acknowledged else " (not acknowledged)"
            place = f"{record.topic.split('.')[1]}/{record.partition}@{record.offset}"
            return f"{entry.at_us / 1e6:.6f} {entry.by:12} says {name} {_gist(said)} at {place}{told}"
        case history.Called():
            ended = entry.error or "ok"
            return f"{entry.at_us / 1e6:.6f} {entry.by:12} {entry.call} {entry.key} ({entry.application}): {ended}"
        case history.Sequenced():
            return f"{entry.at_us / 1e6:.6f} {entry.by:12} sequences {len(entry.receipts)} leaves from {entry.first}"
        case history.Happened():
            return f"{entry.at_us / 1e6:.6f} -- {entry.what}"
        case _:
            return f"-- {entry}"


def _gist(said: Message | None) -> str:
    """The few fields of a message that tell what it is about."""
    if said is None:
        return ""
    wanted = ("object", "application", "verdict", "phase", "trigger", "outcome", "mode", "revision", "sync_id")
    parts = []
    for field, value in said.ListFields():
        if field.name in wanted:
            text = value.name if field.name == "object" else getattr(value, "application", "") or getattr(
                value, "commit", "")[:7] or (value if isinstance(value, str | int) else "")  # fmt: skip
            parts.append(f"{field.name}={text}")
    return " ".join(parts)
