"""What a seed means: who does what when, and which weather comes over it. Pure: a seed in, a plan out.

Every act is a value whose `repr` a person can read; the trace of a failing run begins with them.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

STORM_SECONDS = 90.0
"""Acts happen before this moment of a run; then the weather clears."""
CALM_SECONDS = 1_500.0
"""How long after the storm everything must have come together (the longest retry waits for 10 minutes)."""

APPLICATIONS = ("shop", "blog", "mail")
OBJECTS = ("web", "cache", "queue")
COLOURS = ("red", "green", "blue")
TOPICS = ("fleet", "control", "apply", "drift", "live", "git")
MODES = ("detect", "apply", "heal", "heal", "heal")


@dataclass(frozen=True, slots=True)
class Push:
    """Somebody commits: this object of this application gets a colour, or goes (empty colour).

    `mail/web` is an object of another application, which both want then.
    """

    application: str
    object: str
    colour: str


@dataclass(frozen=True, slots=True)
class PushBroken:
    """Somebody commits what cannot be rendered, or (`refused`) what the API server will not take."""

    application: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """Somebody changes a live object by hand; without a colour, deletes it."""

    application: str
    object: str
    colour: str


@dataclass(frozen=True, slots=True)
class Declare:
    """Somebody declares the application anew, in this mode."""

    application: str
    mode: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Somebody removes the application's declaration."""

    application: str
    prune: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody asks for a sync."""

    application: str


@dataclass(frozen=True, slots=True)
class LoseAcks:
    """The next deliveries are stored, and their senders are not told."""

    count: int


@dataclass(frozen=True, slots=True)
class DropSends:
    """The next deliveries are lost, and their senders are told so."""

    count: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A topic's records come later than those of all others."""

    topic: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Redeliver:
    """A topic's records come again."""

    topic: str
    back: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """Somebody sends a record of the topic again: the same id and bytes, or (`altered`) the same id and other bytes."""

    topic: str
    altered: bool


@dataclass(frozen=True, slots=True)
class Litter:
    """Somebody sends what is no event."""

    topic: str


@dataclass(frozen=True, slots=True)
class Retain:
    """Retention takes all but the newest records of a topic that only the ledger reads."""

    topic: str
    keep: int


@dataclass(frozen=True, slots=True)
class Skip:
    """Offsets are used up without a record, as by a transaction marker."""

    topic: str
    count: int


@dataclass(frozen=True, slots=True)
class Recreate:
    """A topic is deleted and created anew."""

    topic: str


@dataclass(frozen=True, slots=True)
class LoseState:
    """Somebody deletes the state topic and creates it anew."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Something cannot be reached for a while: `kafka`, `postgres`, `kubernetes` or `git`."""

    what: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """The API server answers every call about one object with an error that quotes what it was sent."""

    application: str
    object: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CutWatches:
    """Every watch connection breaks; `expired`: the versions they stood at are gone too."""

    expired: bool


@dataclass(frozen=True, slots=True)
class Skew:
    """The wall clock jumps."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Crash:
    """A running instance of a service is killed at the nth failpoint that it passes from now on.

    `where`: only those of this name count.
    """

    service: str
    passing: int
    where: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """A running instance is stopped at the nth failpoint that it passes, and wakes after its successor took over."""

    service: str
    passing: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Sleep:
    """A member of reconcile is stopped at its nth send from now on; what it sends is stored when it wakes, replaced."""

    passing: int
    seconds: float


@dataclass(frozen=True, slots=True)
class FailSend:
    """The nth send of a member of reconcile from now on is answered by nobody; `stored`: but it was stored."""

    passing: int
    stored: bool


@dataclass(frozen=True, slots=True)
class Join:
    """One more instance of a service starts."""

    service: str


@dataclass(frozen=True, slots=True)
class Leave:
    """An instance of a service is told to stop (SIGTERM)."""

    service: str


Act = (
    Push | PushBroken | Edit | Declare | Retire | Ask
    | LoseAcks | DropSends | Hold | Redeliver | Repeat | Litter | Retain | Skip | Recreate | LoseState
    | Outage | Refuse | CutWatches | Skew | Crash | Pause | Sleep | FailSend | Join | Leave
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planned:
    """An act and when it happens, in seconds from the start."""

    at: float
    act: Act


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: its applications with their modes, and what befalls it, in order."""

    seed: int
    modes: tuple[tuple[str, str], ...]
    acts: tuple[Planned, ...]

    def __str__(self) -> str:
        lines = [f"seed {self.seed}: " + ", ".join(f"{name} in mode {mode}" for name, mode in self.modes)]
        return "\n".join([*lines, *(f"{one.at:8.3f}  {one.act}" for one in self.acts)])


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    chance = random.Random(seed)  # noqa: S311 (it must be repeatable, not unguessable)
    names = APPLICATIONS[: chance.choice((1, 1, 2, 2, 3))]
    modes = tuple((name, chance.choice(MODES)) for name in names)
    first = [Planned(0.0, Push(name, kind, chance.choice(COLOURS))) for name in names for kind in OBJECTS[:2]]
    makers = [*_PEOPLE, *chance.sample(_WEATHER, k=chance.randint(1, 6))]
    acts = [
        Planned(round(chance.uniform(0.0, STORM_SECONDS), 3), chance.choice(makers)(chance, names))
        for _ in range(chance.randint(6, 24))
    ]
    return Plan(seed, modes, (*first, *sorted(_once(acts), key=lambda one: one.at)))


def _once(acts: Sequence[Planned]) -> list[Planned]:
    """At most one `Recreate` of each topic and one `Retire` of each application: more could not be told apart after."""
    seen: set[Act] = set()
    kept = []
    for one in acts:
        again = isinstance(one.act, Recreate | Retire) and one.act in seen
        seen.add(one.act)
        if not again:
            kept.append(one)
    return kept


Maker = Callable[[random.Random, Sequence[str]], Act]


def _push(chance: random.Random, names: Sequence[str]) -> Act:
    return Push(chance.choice(names), chance.choice(OBJECTS), chance.choice((*COLOURS, "")))


def _share(chance: random.Random, names: Sequence[str]) -> Act:
    claimant, other = chance.choice(names), chance.choice(names)
    kind = chance.choice(OBJECTS)
    return Push(claimant, kind if claimant == other else f"{other}/{kind}", chance.choice((*COLOURS, "")))


def _push_broken(chance: random.Random, names: Sequence[str]) -> Act:
    return PushBroken(chance.choice(names), refused=chance.random() < 0.5)


def _edit(chance: random.Random, names: Sequence[str]) -> Act:
    return Edit(chance.choice(names), chance.choice(OBJECTS), chance.choice((*COLOURS, "")))


def _declare(chance: random.Random, names: Sequence[str]) -> Act:
    return Declare(chance.choice(names), chance.choice(MODES))


def _retire(chance: random.Random, names: Sequence[str]) -> Act:
    return Retire(chance.choice(names), prune=chance.random() < 0.5)


def _ask(chance: random.Random, names: Sequence[str]) -> Act:
    return Ask(chance.choice(names))


def _acks(chance: random.Random, _: Sequence[str]) -> Act:
    return LoseAcks(chance.randint(1, 3))


def _drops(chance: random.Random, _: Sequence[str]) -> Act:
    return DropSends(chance.randint(1, 3))


def _hold(chance: random.Random, _: Sequence[str]) -> Act:
    return Hold(chance.choice(TOPICS), round(chance.uniform(0.1, 15.0), 3))


def _redeliver(chance: random.Random, _: Sequence[str]) -> Act:
    return Redeliver(chance.choice(TOPICS), chance.randint(1, 10))


def _repeat(chance: random.Random, _: Sequence[str]) -> Act:
    return Repeat(chance.choice(TOPICS), altered=chance.random() < 0.5)


def _litter(chance: random.Random, _: Sequence[str]) -> Act:
    return Litter(chance.choice(TOPICS))


def _retain(chance: random.Random, _: Sequence[str]) -> Act:
    return Retain("git", chance.randint(0, 3))


def _skip(chance: random.Random, _: Sequence[str]) -> Act:
    return Skip("git", chance.randint(1, 3))


def _recreate(_: random.Random, __: Sequence[str]) -> Act:
    return Recreate("git")


def _lose_state(_: random.Random, __: Sequence[str]) -> Act:
    return LoseState()


def _outage(chance: random.Random, _: Sequence[str]) -> Act:
    return Outage(chance.choice(("kafka", "postgres", "kubernetes", "git")), round(chance.uniform(0.1, 40.0), 3))


def _refuse(chance: random.Random, names: Sequence[str]) -> Act:
    return Refuse(chance.choice(names), chance.choice(OBJECTS), round(chance.uniform(0.5, 60.0), 3))


def _cut(chance: random.Random, _: Sequence[str]) -> Act:
    return CutWatches(expired=chance.random() < 0.5)


def _skew(chance: random.Random, _: Sequence[str]) -> Act:
    return Skew(chance.choice((-90_000.0, -60.0, -1.0, 1.0, 60.0, 90_000.0)))


def _service(chance: random.Random) -> str:
    return chance.choice(("reconcile", "reconcile", "audit"))


def _crash(chance: random.Random, _: Sequence[str]) -> Act:
    return Crash(_service(chance), chance.randint(1, 12))


def _pause(chance: random.Random, _: Sequence[str]) -> Act:
    return Pause(_service(chance), chance.randint(1, 12), round(chance.uniform(0.5, 45.0), 3))


def _sleep(chance: random.Random, _: Sequence[str]) -> Act:
    return Sleep(chance.randint(1, 25), round(chance.uniform(12.0, 45.0), 3))


def _fail_send(chance: random.Random, _: Sequence[str]) -> Act:
    return FailSend(chance.randint(1, 25), stored=chance.random() < 0.5)


def _join(chance: random.Random, _: Sequence[str]) -> Act:
    return Join(_service(chance))


def _leave(chance: random.Random, _: Sequence[str]) -> Act:
    return Leave(_service(chance))


_PEOPLE: tuple[Maker, ...] = (
    _push, _push, _push, _share, _push_broken, _edit, _edit, _edit, _declare, _retire, _ask,
)  # fmt: skip
_WEATHER: tuple[Maker, ...] = (
    _acks, _drops, _hold, _redeliver, _repeat, _litter, _retain, _skip, _recreate, _lose_state,
    _outage, _refuse, _cut, _skew, _crash, _crash, _crash, _pause, _pause, _sleep, _sleep, _fail_send, _join, _leave,
)  # fmt: skip

PEOPLE = (Push, PushBroken, Edit, Declare, Retire, Ask)
"""The acts that are no bad weather."""
