"""The memory of one source inside this process: every thing that was said is noted, then kept outside."""

from collections.abc import Iterable, Sequence

import structlog
from google.protobuf.message import Message

from decklog.events.v1 import control_pb2, git_pb2
from decklog.model import errors, topics
from decklog.ports import clock
from decklog.runtime import backoff, emitter
from services.ingest import memory, voice
from services.ingest.core import cursor as cursors
from services.ingest.core import recollection

log = structlog.get_logger(__name__)

_OUTPUTS = (topics.GIT, topics.CONTROL)


class Notebook:
    """Says things about a source and remembers that they were said, in this order and never the other way round."""

    def __init__(
        self,
        recalled: recollection.Recollection,
        *,
        speaking: voice.Voice,
        memories: memory.Memory,
        prefix: str,
        time: clock.Clock,
    ) -> None:
        self.cursor = recalled.cursor
        self.tips = set(recalled.tips)
        self._voice = speaking
        self._memory = memories
        self._labels = {topic.name(prefix): topic.label for topic in _OUTPUTS}
        self._time = time
        self._kept: cursors.Cursor | None = None

    async def say(self, messages: Iterable[Message]) -> Sequence[emitter.Said]:
        """Say, then note where it is. What it means for the cursor is the caller's to note."""
        said = await self._voice.say(messages)
        for one in said:
            label = self._labels.get(one.at.topic)
            if label is not None:
                self.cursor = cursors.advance(self.cursor, (label, one.at.partition), one.at.offset + 1)
        return said

    async def say_commits(self, observed: Sequence[git_pb2.CommitObserved]) -> None:
        """Say commits, parents first, and move the tips on."""
        await self.say(observed)
        for one in observed:
            recollection.grow(self.tips, one)

    async def say_move(self, move: git_pb2.RefMoved, *, orphaned: bool) -> None:
        """Say a move after its commits."""
        await self.say([move])
        self.cursor = cursors.moved(self.cursor, move, orphaned=orphaned)
        self.tips.discard(move.new)

    async def announce(self, told: Sequence[control_pb2.RevisionAvailable]) -> None:
        """Tell applications of a revision."""
        await self.say(told)
        for one in told:
            self.cursor = cursors.announced(self.cursor, one)

    async def say_condition(self, condition: git_pb2.SourceFailed) -> None:
        """Say that the source fails, or works again."""
        await self.say([condition])
        self.cursor = cursors.failed(self.cursor, condition)

    async def said_commits(self) -> frozenset[bytes]:
        """Ids of all commits that were said, read back from the log: long, and seldom needed."""
        return await backoff.until_done(
            lambda: self._memory.commits(self.cursor.source),
            policy=backoff.CONNECTION,
            time=self._time,
            failed=_log_failure,
        )

    def retire_tips(self) -> None:
        """Note commits that were said for a move that never came: their ref went elsewhere meanwhile."""
        self.cursor = cursors.retire(self.cursor, frozenset(self.tips))
        self.tips.clear()

    async def keep(self) -> None:
        """Keep the cursor outside, unless it is there already. Ends by success, OwnershipLost or cancellation."""
        if self.cursor == self._kept:
            return
        cursor = self.cursor

        async def send() -> None:
            self._voice.check()
            await self._memory.keep(cursor)

        await backoff.until_done(send, policy=backoff.CONNECTION, time=self._time, failed=_log_failure)
        self._kept = cursor


def _log_failure(error: errors.Transient, attempt: int) -> None:
    log.warning("the memory of the source cannot be reached now, trying again", error=str(error), attempt=attempt)
