"""The rung *witnessed*: cosignatures are asked for, stored, and then served with the checkpoint.

What a crash loses: nothing. What was stored is served at the next start, and a witness that is asked once more about
the same checkpoint cosigns it once more.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog
from prometheus_client import Gauge

from decklog.model import errors
from decklog.model.tlog import keys, note, policy
from decklog.runtime import names, ops
from services.audit.core import publication
from services.audit.publisher import folder as folders
from services.audit.publisher import publishing, records, witnesses

log = structlog.get_logger(__name__)

_SETTING = "DECKLOG_LOG_POLICY"

PART = "witnesses"
PATIENCE_SECONDS = 1.0
"""How long a checkpoint is held back for cosignatures, where it is not held back until they are there."""
START_SECONDS = 5.0
"""How long the witnesses are asked, before anything is sequenced, whether they have seen more than we have."""

_witnessed = Gauge(names.METRIC_WITNESSED, "Leaves in the newest checkpoint that the quorum of witnesses cosigned")
_disputed = Gauge(names.METRIC_DISPUTED, "1 when a witness has seen another history of the log; nothing is signed then")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Whose cosignatures are asked for; whether a checkpoint is served only with the quorum."""

    policy: policy.Policy
    wait: bool


def read(file: Path, *, wait: bool) -> Rule:
    """The rule of a policy file (c2sp.org/tlog-policy). Raises Terminal for what is none, or can never be met."""
    try:
        found = policy.parse(file.read_bytes())
    except OSError as error:
        raise errors.Terminal(
            f"{file}: {error.strerror}", where=_SETTING, hint="Name a file that audit can read"
        ) from error
    except policy.Malformed as error:
        raise errors.Terminal(f"{file}: {error}", where=_SETTING, hint="See c2sp.org/tlog-policy") from error
    witnesses.of_policy(found)
    return Rule(policy=found, wait=wait)


def check_policy(rule: Rule | None, known: Sequence[keys.VerifierKey]) -> None:
    """Insist that whoever verifies with the same file believes this log, with one of its keys. Raises Terminal."""
    if rule is not None and rule.policy.logs and not set(known) & set(rule.policy.logs):
        raise errors.Terminal(
            "the policy has lines `log VKEY`, and none is of this log",
            where=_SETTING,
            hint=f"Add this line: log {known[0]}",
        )


class Disputed(errors.Terminal):
    """A witness has seen another history of this log: a person must find out why."""


class Witnessed:
    """Witnesses every checkpoint of one log while the connection lives."""

    def __init__(
        self, connection: asyncpg.Connection, rule: Rule, circle: witnesses.Circle, readiness: ops.Readiness
    ) -> None:
        self._connection = connection
        self._rule = rule
        self._circle = circle
        self._readiness = readiness
        self._names = {key.label: name for name, key in rule.policy.witnesses.items()}

    @property
    def news(self) -> asyncio.Event:
        """Set when a witness said something."""
        return self._circle.news

    async def climb(self, climb: publishing.Publishing, stop: asyncio.Event) -> bool:
        """Have the newest checkpoint cosigned, and serve it; False where it is held back for the quorum.

        Raises Disputed when a witness has seen another history.
        """
        offered = climb.newest
        if offered is None:
            self._readiness.works(PART)
            return True
        self.news.clear()
        self._circle.offer(offered)
        await self._circle.settled(stop, PATIENCE_SECONDS)
        await self._store()
        await insist(self._connection, self._circle.alarm)
        lines = await records.cosignatures(self._connection, offered.tree.size)
        met = self._rule.policy.met({self._names[label] for label in lines if label in self._names})
        self._tell(offered.tree.size, met=met)
        if met or not self._rule.wait:
            await climb.serve(line for label, line in lines.items() if label in self._names)
            return True
        return False

    async def _store(self) -> None:
        for said in self._circle.heard():
            key = self._rule.policy.witnesses[said.witness]
            await records.cosign(self._connection, said.size, {key.label: said.line})

    def _tell(self, size: int, *, met: bool) -> None:
        if met:
            _witnessed.set(size)
            self._readiness.works(PART)
            return
        reasons = "; ".join(f"{name}: {text}" for name, text in self._circle.troubles.items())
        held = "it is held back" if self._rule.wait else "it is served without"
        text = f"the checkpoint of {size} leaves has no quorum of witnesses, {held}. {reasons or 'They are asked'}"
        (self._readiness.waiting if self._rule.wait else self._readiness.complains)(PART, text)


@contextlib.asynccontextmanager
async def asking(
    connection: asyncpg.Connection, rule: Rule, folder: folders.LogFolder
) -> AsyncIterator[witnesses.Circle]:
    """The witnesses of a rule, with what they are known to have cosigned."""
    cosigned = await records.cosigned(connection)
    known = {name: cosigned.get(key.label, 0) for name, key in rule.policy.witnesses.items()}
    prove = functools.partial(publishing.proof, folder)
    async with witnesses.Circle(rule.policy, prove, known).asking() as circle:
        yield circle


async def check(connection: asyncpg.Connection, rule: Rule, folder: folders.LogFolder, stop: asyncio.Event) -> None:
    """Ask the witnesses, as far as they answer, whether they have seen more of the log than the database holds.

    They are the only ones who can tell when database and folder were both restored. Raises Disputed.
    """
    signed = await records.newest(connection)
    tree = records.parse(signed, "ledger.checkpoint")
    if signed is None or tree is None:
        return
    async with asking(connection, rule, folder) as circle:
        circle.offer(witnesses.Offer(tree, note.parse(signed)))
        await circle.settled(stop, START_SECONDS)
        await insist(connection, circle.alarm)


async def insist(connection: asyncpg.Connection, alarm: witnesses.Alarm | None) -> None:
    """Raise Disputed where a witness has seen another history, Transient where another process of ours was faster."""
    if alarm is None:
        return
    newest = records.parse(await records.newest(connection), "ledger.checkpoint")
    found = publication.disputed(alarm.witness, alarm.said, asked=alarm.size, newest=newest.size if newest else 0)
    if found is None:
        raise errors.Transient("another process has published more meanwhile", where="publisher")
    _disputed.set(1)
    raise Disputed(found.text, where=f"witness {alarm.witness}", hint=found.hint)
