"""Saying what happened in a repository: new commits, then the move of the ref that reaches them."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from decklog.events.v1 import git_pb2
from decklog.model import failpoints, fleet
from decklog.ports import mirror
from decklog.runtime import names, telemetry
from services.ingest import notebook
from services.ingest.core import commits, moves
from services.ingest.core import cursor as cursors

T = TypeVar("T")

BATCH = 1_000
"""Commits that are read, said and acknowledged at once: what a first clone of any size holds in memory."""

MOST_REFS = 20_000
"""The cursor of a source is one Kafka record: more refs would not fit."""

_MANY_MOVES = 8


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the remote showed: the moves to tell, and the refs that should be there and are not.

    `trace` leads to the span of the fetch, if there was one.
    """

    moves: Sequence[moves.Move]
    missing: Sequence[str]
    trace: str | None


class Teller:
    """Looks at one repository and tells its moves."""

    def __init__(
        self, source: str, notes: notebook.Notebook, following: mirror.Mirror, failpoint: failpoints.Failpoint
    ) -> None:
        self._source = source
        self._notes = notes
        self._mirror = following
        self._failpoint = failpoint
        self._no_commit: dict[str, mirror.Target] = {}
        self._walked: set[bytes] | None = None
        self._remembered: frozenset[bytes] | None = None

    async def look(self, patterns: Collection[str]) -> Look:
        """Ask the remote, and fetch what moved. Raises Unavailable, Unusable."""
        remote = await self._remote(patterns)
        wanted = [move.ref for move in self._decide(remote, patterns) if move.target is not None]
        if wanted and not await self._holds(self._notes.cursor.covered):
            wanted = sorted(remote)  # a new mirror, which does not know yet what was said
        trace = None
        if wanted:
            with telemetry.span(names.SPAN_FETCH, attributes={names.SOURCE: self._source, names.BATCH: len(wanted)}):
                trace = telemetry.current()
                # What was fetched counts: a ref may have moved on since it was listed.
                fetched = await self._mirror.fetch(wanted)
            self._no_commit.update({ref: remote[ref] for ref in wanted if ref not in fetched})
            remote = {ref: target for ref, target in remote.items() if ref not in wanted} | dict(fetched)
        found = self._decide(remote, patterns)
        # With many refs, most of them are tags within what another ref reaches: worth remembering for this round.
        self._walked = set() if len(found) > _MANY_MOVES else None
        return Look(found, moves.missing(remote, patterns), trace)

    async def tell(self, move: moves.Move) -> git_pb2.RefMoved:
        """Say the commits that a move makes reachable, then the move."""
        count = await self._tell_commits(move.target.commit) if move.target is not None else 0
        said = moves.event(self._source, move, forced=await self._forced(move), new_commits=count)
        orphaned = cursors.may_orphan(said) and await self._orphaned(move)
        self._failpoint("ingest.before_ref_moved")
        await self._notes.say_move(said, orphaned=orphaned)
        self._failpoint("ingest.after_ref_moved")
        return said

    def _decide(self, remote: Mapping[str, mirror.Target], patterns: Collection[str]) -> Sequence[moves.Move]:
        return moves.decide(self._notes.cursor.heads, remote, patterns)

    async def _remote(self, patterns: Collection[str]) -> dict[str, mirror.Target]:
        """Where the remote's refs point, but for those that lead to no commit (a tag of a tree)."""
        try:
            listed = await self._mirror.remote_refs()
        except mirror.Unavailable as error:
            followed_before = any(head.commit for head in self._notes.cursor.heads.values())
            if error.reason is not mirror.Reason.EMPTY_REPOSITORY or not followed_before:
                raise
            listed = {}  # every ref was deleted: that is told before it is complained about
        followed = tuple(patterns)
        remote = {
            ref: target
            for ref, target in listed.items()
            if fleet.matches(ref, followed) and self._no_commit.get(ref) != target
        }
        if len(remote) > MOST_REFS:
            raise mirror.Unusable(
                mirror.Reason.TOO_MANY_REFS,
                f"{len(remote)} refs are followed, more than {MOST_REFS}",
                where=f"source {self._source}",
                hint="Name fewer refs, or narrower patterns",
            )
        return remote

    async def _tell_commits(self, start: str) -> int:
        """Say what `start` reaches and was not said; how many commits the move makes reachable."""
        covered = self._notes.cursor.covered
        if start in covered or (self._walked is not None and bytes.fromhex(start) in self._walked):
            return 0
        # Commits of an interrupted telling count, but are not said again.
        tips = frozenset(self._notes.tips)
        said = await self._said(covered | tips)
        count = await self._count(start, covered) if tips else 0
        async for found in _one_ahead(self._read(start, covered | tips, said)):
            await self._notes.say_commits([commits.observed(self._source, commit) for commit in found])
            self._failpoint("ingest.after_commits")
            if self._walked is not None:
                self._walked.update(bytes.fromhex(commit.id) for commit in found)
            count += 0 if tips else len(found)
        return count

    async def _read(
        self, start: str, hide: Collection[str], said: frozenset[bytes]
    ) -> AsyncIterator[Sequence[mirror.Commit]]:
        async for ids in self._mirror.walk(start, hide=hide, batch=BATCH):
            yield await self._mirror.commits([oid for oid in ids if bytes.fromhex(oid) not in said])

    async def _holds(self, known: Collection[str]) -> bool:
        return len(await self._mirror.present(known)) == len(known)

    async def _said(self, known: frozenset[str]) -> frozenset[bytes]:
        """What was said and cannot be told from the mirror: it is new, and a force push removed what it should know."""
        if await self._holds(known):
            return frozenset()
        if self._remembered is None:
            self._remembered = await self._notes.said_commits()
        return self._remembered

    async def _count(self, start: str, covered: frozenset[str]) -> int:
        return sum([len(ids) async for ids in self._mirror.walk(start, hide=covered, batch=BATCH)])

    async def _forced(self, move: moves.Move) -> bool:
        if not move.head.commit or move.target is None:
            return False
        return not await self._mirror.is_ancestor(move.head.commit, move.target.commit)

    async def _orphaned(self, move: moves.Move) -> bool:
        """Whether no other ref reaches the commit that a ref left; a commit that is not here may be reached by none."""
        old = move.head.commit
        if old not in await self._mirror.present([old]):
            return True
        others = {head.commit for ref, head in self._notes.cursor.heads.items() if ref != move.ref and head.commit}
        new = {move.target.commit} if move.target is not None else set()
        async for _ in self._mirror.walk(old, hide=others | new | self._notes.cursor.retired, batch=1):
            return True
        return False


async def _one_ahead(source: AsyncIterator[T]) -> AsyncIterator[T]:
    """The same, while the next one is made already: git reads on while Kafka takes what was read."""
    coming = asyncio.ensure_future(anext(source, None))
    try:
        while (item := await coming) is not None:
            coming = asyncio.ensure_future(anext(source, None))
            yield item
    finally:
        coming.cancel()
        await asyncio.wait({coming})
