"""Asking witnesses: each is followed by a task of its own, and works on the checkpoint that was offered last.

A slow witness keeps no other waiting; what it says of an older checkpoint is kept, too. Nothing here decides what that
means for the log: `Circle` gathers, the publisher stores and acts.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import httpx
import structlog
from prometheus_client import Counter

from decklog.client import failures
from decklog.model import addresses, errors
from decklog.model.tlog import asking, checkpoint, keys, note, policy, witnessing
from decklog.runtime import backoff, names
from services.audit import waiting
from services.audit.core import publication
from services.audit.publisher import outside

log = structlog.get_logger(__name__)

BACKOFF = backoff.Policy(initial=0.2, ceiling=10.0)
"""For a witness that cannot be reached or does not cosign."""
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
EXCHANGE_SECONDS = 20.0
"""How long one request may take in all: bytes that trickle in would never be silent for long enough."""

_failures = Counter(names.METRIC_WITNESS_FAILURES, "Requests that a witness did not cosign", ["witness"])

Prove = Callable[[int, checkpoint.Checkpoint], Awaitable[list[bytes]]]
"""The proof that the log's tree of a size is the beginning of a larger one of it. Raises Transient."""


class Cosignature(NamedTuple):
    """What a witness said of the checkpoint of a size."""

    witness: str
    size: int
    line: note.Signature


class Claim(NamedTuple):
    """A witness says, in an answer that nobody signed, that it has seen another history than ours."""

    witness: str
    said: publication.Said
    size: int
    """Of the checkpoint that it was asked about."""
    shown: bytes
    """What it shows as the last checkpoint that it cosigned, for whoever watches; empty where it shows none."""


class Offer(NamedTuple):
    """A signed checkpoint that is to be cosigned."""

    tree: checkpoint.Checkpoint
    signed: note.Note


@dataclass(frozen=True, slots=True)
class Witness:
    """One line of a policy."""

    name: str
    key: keys.VerifierKey
    url: str


def of_policy(given: policy.Policy, file: str = "") -> list[Witness]:
    """The witnesses that can be asked; `file`: of the policy, for messages.

    Raises Terminal where they are not enough for the quorum, or a URL is none.
    """
    found = [Witness(name, given.witnesses[name], url.rstrip("/")) for name, url in given.urls.items()]
    for one in found:
        try:
            addresses.http(one.url)
        except addresses.Wrong as error:
            line = f"{file}: line {given.lines.get(one.name, 0)}"
            problem = f"the URL of the witness {one.name!r} is none that can be asked: {error}"
            raise errors.Terminal(
                f"{line}: {problem}", where="DECKLOG_LOG_POLICY", hint=f"{addresses.HTTP_HINT}, and restart audit"
            ) from error
    if not given.met({one.name for one in found}):
        raise errors.Terminal(
            f"the quorum {given.quorum!r} cannot be met: too few of its witnesses have a URL",
            where="DECKLOG_LOG_POLICY",
            hint="Write it at the end of their lines: witness NAME VKEY URL",
        )
    return found


class Circle:
    """The witnesses of one log while its publisher runs. `known`: what each is known to have cosigned."""

    def __init__(self, given: policy.Policy, prove: Prove, known: Mapping[str, int]) -> None:
        self._policy = given
        self.news = asyncio.Event()
        """Set when any of them said something."""
        self._followers = [_Follower(one, prove, known.get(one.name, 0), self.news) for one in of_policy(given)]
        self._tasks: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator["Circle"]:
        """Follow what is offered, until the end of the block."""
        async with contextlib.AsyncExitStack() as opened:
            try:
                for one in self._followers:
                    client = await opened.enter_async_context(outside.client(one.witness.url, _TIMEOUT))
                    self._tasks.append(asyncio.create_task(one.run(client), name=f"witness {one.witness.name}"))
                yield self
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def offer(self, offered: Offer) -> None:
        """Ask all of them about a checkpoint; whoever is still busy with an earlier one does so after that."""
        for one in self._followers:
            one.offer(offered)

    async def settled(self, stop: asyncio.Event, seconds: float) -> None:
        """Wait until the quorum is there, nobody is left who could still answer at once, or the time is over."""
        await self._until(lambda: self._has_quorum() or self._all_answered(), stop, seconds)

    async def answered(self, stop: asyncio.Event, seconds: float) -> None:
        """Wait until each of them has answered, whatever the quorum says, or the time is over."""
        await self._until(self._all_answered, stop, seconds)

    async def _until(self, holds: Callable[[], bool], stop: asyncio.Event, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not (holds() or stop.is_set()):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await waiting.first(self.news, stop, seconds=left)
            self._check_tasks()
            self.news.clear()

    def heard(self) -> list[Cosignature]:
        """What they cosigned since this was asked last."""
        self._check_tasks()
        return [said for one in self._followers for said in one.heard()]

    @property
    def claims(self) -> list[Claim]:
        """What those say who speak of another history, until they cosign again."""
        return [one.claim for one in self._followers if one.claim is not None]

    @property
    def troubles(self) -> dict[str, str]:
        """Those that do not cosign what was offered, and why."""
        return {one.witness.name: one.trouble for one in self._followers if one.trouble}

    def _has_quorum(self) -> bool:
        seen = {one.witness.name for one in self._followers if one.is_done}
        return bool(seen) and self._policy.met(seen)

    def _all_answered(self) -> bool:
        return all(one.is_done or one.trouble for one in self._followers)

    def _check_tasks(self) -> None:
        """Raise what ended a follower: none of them ends by itself."""
        for task in self._tasks:
            if task.done():
                task.result()


class _Follower:
    """One witness: asked about the newest offer, again and again with growing pauses, until it cosigned it."""

    def __init__(self, witness: Witness, prove: Prove, known: int, news: asyncio.Event) -> None:
        self.witness = witness
        self.trouble = ""
        self.claim: Claim | None = None
        self._prove = prove
        self._known = known
        """The size that it wants to go on from, as far as we know."""
        self._news = news
        self._offered: Offer | None = None
        self._done = -1
        self._woken = asyncio.Event()
        self._heard: list[Cosignature] = []

    @property
    def is_done(self) -> bool:
        """Whether it cosigned what was offered last."""
        return self._offered is not None and self._done == self._offered.tree.size

    def offer(self, offered: Offer) -> None:
        """See `Circle`."""
        self._offered = offered
        self._woken.set()

    def heard(self) -> list[Cosignature]:
        """See `Circle`."""
        heard, self._heard = self._heard, []
        return heard

    async def run(self, client: httpx.AsyncClient) -> None:
        """Follow until cancelled."""
        attempt = 0
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._offered is not None and not self.is_done:
                await self._ask(client, self._offered)
                attempt = attempt + 1 if self.trouble else 0
                if self.trouble:
                    await asyncio.sleep(backoff.delay(BACKOFF, attempt))

    async def _ask(self, client: httpx.AsyncClient, offered: Offer) -> None:
        """One request, and another one where the proof has to begin elsewhere; what came of it is kept, and told."""
        answer = await self._answer(client, offered)
        if isinstance(answer, asking.GoOnFrom):
            self._go_on_from(answer.size)
            answer = await self._answer(client, offered)
        if isinstance(answer, asking.GoOnFrom):
            self._go_on_from(answer.size)
            answer = asking.Trouble(f"it wanted the proof from another size on, got it, and now wants {answer.size}")
        shown = await self._shown(client, offered) if isinstance(answer, asking.Ahead | asking.Disputed) else b""
        self._keep(answer, offered.tree.size, shown)
        self._news.set()

    async def _answer(self, client: httpx.AsyncClient, offered: Offer) -> asking.Answer:
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                return await self._request(client, offered)
        except TimeoutError:
            return asking.Trouble(f"its answer takes more than {EXCHANGE_SECONDS:.0f} s")
        except errors.Transient as error:
            return asking.Trouble(str(error))
        except outside.UNREACHABLE as error:
            return asking.Trouble(f"it cannot be reached at {self.witness.url}: {failures.cause(error)}")

    async def _request(self, client: httpx.AsyncClient, offered: Offer) -> asking.Answer:
        old = min(self._known, offered.tree.size)
        proof = await self._prove(old, offered.tree) if old else []
        asked = witnessing.request(old, proof, offered.signed)
        url = f"{self.witness.url}/add-checkpoint"
        async with client.stream("POST", url, content=asked.to_bytes()) as answer:
            body = await outside.body(answer, asking.MAX_ANSWER_BYTES)
        if body is None:
            return asking.Trouble("its answer does not end")
        return asking.interpret(answer.status_code, body, asked, self.witness.key)

    async def _shown(self, client: httpx.AsyncClient, offered: Offer) -> bytes:
        """The checkpoint that it cosigned last, where it shows it: whether that proves what it says others decide."""
        url = f"{self.witness.url}/{witnessing.origin_hash(offered.tree.origin)}/checkpoint"
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS), client.stream("GET", url) as answer:
                return (await outside.body(answer, asking.MAX_ANSWER_BYTES) or b"") if answer.is_success else b""
        except (TimeoutError, *outside.UNREACHABLE) as error:
            log.info("a witness shows no checkpoint", witness=self.witness.name, error=str(error) or repr(error))
            return b""

    def _go_on_from(self, size: int) -> None:
        if size < self._known:
            log.warning("a witness was set back", witness=self.witness.name, before=self._known, now=size)
        self._known = size

    def _keep(self, answer: asking.Cosigned | asking.Trouble | publication.Said, size: int, shown: bytes) -> None:
        match answer:
            case asking.Cosigned(line):
                if self.trouble:
                    log.info("a witness cosigns again", witness=self.witness.name)
                self._known, self._done, self.trouble, self.claim = size, size, "", None
                self._heard.append(Cosignature(self.witness.name, size, line))
            case asking.Trouble(text):
                self._complain(text)
            case asking.Ahead() | asking.Disputed():
                self.claim = Claim(self.witness.name, answer, size, shown)
                self._complain(publication.claim(answer, asked=size))

    def _complain(self, text: str) -> None:
        _failures.labels(self.witness.name).inc()
        if text != self.trouble:
            log.warning("a witness does not cosign", witness=self.witness.name, error=text)
        self.trouble = text
