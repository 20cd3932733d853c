"""The rung *witnessed*: cosignatures are asked for, stored, and then served with the checkpoint.

What a crash loses: nothing. What was stored is served at the next start, and a witness that is asked once more about
the same checkpoint cosigns it once more.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog
from prometheus_client import Gauge

from decklog.model import errors
from decklog.model.tlog import asking as answers
from decklog.model.tlog import checkpoint, cosignature, keys, note, policy
from decklog.runtime import names, ops
from services.audit.core import publication
from services.audit.publisher import folder as folders
from services.audit.publisher import publishing, records, ring, witnesses

log = structlog.get_logger(__name__)

_SETTING = "DECKLOG_LOG_POLICY"

PART = "witnesses"
CLAIMS = "what witnesses say"
STORED = "stored cosignatures"
PATIENCE_SECONDS = 1.0
"""How long a checkpoint is held back for cosignatures, where it is not held back until they are there."""
START_SECONDS = 5.0
"""How long the witnesses are asked, before anything is sequenced, whether they have seen more than we have."""

_witnessed = Gauge(names.METRIC_WITNESSED, "Leaves in the newest checkpoint that the quorum of witnesses cosigned")
_disputed = Gauge(names.METRIC_DISPUTED, "1 when a witness has seen another history of the log; nothing is signed then")
_contradicts = Gauge(
    names.METRIC_CONTRADICTS, "1 while a witness speaks of another history of the log and proves nothing", ["witness"]
)


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
    witnesses.of_policy(found, str(file))
    return Rule(policy=found, wait=wait)


def check_policy(rule: Rule | None, known: Sequence[keys.VerifierKey]) -> None:
    """Insist that whoever verifies with the same file believes this log, with one of its keys. Raises Unfit."""
    if rule is not None and rule.policy.logs and not set(known) & set(rule.policy.logs):
        raise ring.Unfit(
            "the policy has lines `log VKEY`, and none is of this log",
            where=_SETTING,
            hint=f"Add this line and restart audit: log {known[0]}",
        )


class Disputed(records.Refused):
    """A witness has seen another history of this log: a person must find out why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Judges what witnesses say against the log. `known`: the keys whose signature makes a checkpoint the log's own."""

    connection: asyncpg.Connection
    rule: Rule
    folder: folders.LogFolder
    known: Sequence[keys.VerifierKey]

    async def judge(self, claims: Sequence[witnesses.Claim]) -> dict[str, str]:
        """The claims that stand and are not proved, by witness.

        An answer alone is signed by nobody, so a single witness, or whoever stands before it, must not stop the log.
        Raises Disputed where one is proved by a signature of this log, Transient where nobody is left for a quorum.
        """
        newest = records.parse(await records.newest(self.connection), "ledger.checkpoint") if claims else None
        if newest is None:
            _disputed.set(0)
            return {}
        standing: dict[str, str] = {}
        for one in claims:
            if isinstance(one.said, answers.Ahead) and one.said.size <= newest.size:
                continue  # another process of ours has published more meanwhile
            shown = self._own(one.shown, newest.origin)
            root = None if shown is None else await self._root(shown.size, newest)
            if shown is not None and (root is not None or shown.size > newest.size):
                _insist(publication.proved(one.witness, shown, newest=newest, root=root))
            standing[one.witness] = publication.claim(one.said, asked=one.size)
        if standing and not self.rule.policy.met(set(self.rule.policy.urls) - set(standing)):
            _disputed.set(1)
            found = publication.unmet(standing)
            raise errors.Transient(found.text, where="publisher", hint=found.hint)
        _disputed.set(0)
        return standing

    def _own(self, shown: bytes, origin: str) -> checkpoint.Checkpoint | None:
        """The checkpoint that a witness shows, if one of the log's keys has signed it."""
        try:
            return checkpoint.open_with(shown, self.known, origin=origin)[0]
        except (note.Malformed, note.Unverified, checkpoint.Malformed):
            return None

    async def _root(self, size: int, newest: checkpoint.Checkpoint) -> bytes | None:
        """The root of this log at a size up to the newest one, None where neither database nor tiles tell it."""
        if size > newest.size:
            return None
        stored = records.parse(await records.of_size(self.connection, size), "ledger.checkpoint")
        if stored is not None:
            return stored.root
        try:
            return await publishing.root(self.folder, size, newest)
        except errors.Transient as error:
            log.warning("what a witness shows cannot be compared", size=size, error=str(error))
            return None


def _insist(found: publication.Problem | None) -> None:
    if found is not None:
        _disputed.set(1)
        raise Disputed(found.text, hint=found.hint)


class Witnessed:
    """Witnesses every checkpoint of one log while the connection lives."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        rule: Rule,
        circle: witnesses.Circle,
        bench: Bench,
        readiness: ops.Readiness,
    ) -> None:
        self._connection = connection
        self._rule = rule
        self._circle = circle
        self._bench = bench
        self._readiness = readiness
        self._names = {key.label: name for name, key in rule.policy.witnesses.items()}

    @property
    def news(self) -> asyncio.Event:
        """Set when a witness said something."""
        return self._circle.news

    async def climb(self, climb: publishing.Publishing, stop: asyncio.Event) -> bool:
        """Have the newest checkpoint cosigned, and serve it; False where it is held back for the quorum.

        Raises Disputed where a witness has provably seen another history, Transient where without those who say so no
        quorum is left.
        """
        offered = climb.newest
        if offered is None:
            self._readiness.works(PART)
            return True
        self.news.clear()
        self._circle.offer(offered)
        await self._circle.settled(stop, PATIENCE_SECONDS)
        await self._store()
        claims = await self._bench.judge(self._circle.claims)
        self._tell_claims(claims)
        lines = await self._lines(offered)
        met = self._rule.policy.met(set(lines))
        self._tell(offered.tree.size, met=met)
        if met or not self._rule.wait:
            await climb.serve(lines.values())
            return True
        return False

    async def _lines(self, offered: witnesses.Offer) -> dict[str, str]:
        """What the policy's witnesses have cosigned of a checkpoint, by witness.

        A stored line is verified as a reader would: with one that is wrong the whole checkpoint would be void to him.
        """
        text, good, wrong = offered.signed.text, dict[str, str](), list[str]()
        for label, line in await records.cosignatures(self._connection, offered.tree.size):
            name = self._names.get(label)
            if name is None:
                continue
            if cosignature.is_line(line, text, self._rule.policy.witnesses[name]):
                good.setdefault(name, line)
            else:
                wrong.append(name)
        self._tell_wrong(offered.tree.size, wrong)
        return good

    def _tell_wrong(self, size: int, wrong: Sequence[str]) -> None:
        if not wrong:
            self._readiness.works(STORED)
            return
        self._readiness.complains(
            STORED,
            f"what is stored as the cosignature of {', '.join(wrong)} for the checkpoint of {size} leaves is none, and "
            "is not served. Run `decklog admin audit-db`, and find out who stored it; another is asked for, and kept "
            "beside it",
        )

    def _tell_claims(self, claims: Mapping[str, str]) -> None:
        for name in self._rule.policy.urls:
            _contradicts.labels(name).set(name in claims)
        if not claims:
            self._readiness.works(CLAIMS)
            return
        said = "; ".join(f"{name}: {text}" for name, text in claims.items())
        self._readiness.complains(
            CLAIMS,
            f"{said}. Nothing that this log has signed proves it, and the quorum does not need it: it counts as not "
            "cosigning. Ask who runs it for the checkpoint that it cosigned",
        )

    async def _store(self) -> None:
        for said in self._circle.heard():
            key = self._rule.policy.witnesses[said.witness]
            if not await self._has(said.size, key):
                await records.cosign(self._connection, said.size, {key.label: said.line})

    async def _has(self, size: int, key: keys.VerifierKey) -> bool:
        """Whether a cosignature is kept already: a witness that is asked again, as at each start, says another time."""
        lines = [line for label, line in await records.cosignatures(self._connection, size) if label == key.label]
        signed = await records.of_size(self._connection, size) if lines else None
        tree = records.parse(signed, "ledger.checkpoint")
        return tree is not None and any(cosignature.is_line(line, tree.to_text(), key) for line in lines)

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


async def check(bench: Bench, stop: asyncio.Event) -> None:
    """Ask the witnesses, as far as they answer, whether they have seen more of the log than the database holds.

    They are the only ones who can tell when database and folder were both restored, and one is enough: so all of
    them are waited for, not just the quorum. Raises as `Bench.judge` does.
    """
    signed = await records.newest(bench.connection)
    tree = records.parse(signed, "ledger.checkpoint")
    if signed is None or tree is None:
        return
    async with asking(bench.connection, bench.rule, bench.folder) as circle:
        circle.offer(witnesses.Offer(tree, note.parse(signed)))
        await circle.answered(stop, START_SECONDS)
        await bench.judge(circle.claims)
