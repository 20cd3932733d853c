"""The ladder of a watch: *for ever* → *until the version expires* → *one connection*. Shared by every cluster adapter.

Each rung is a small generator. What a cluster can do (list, connect) and how long to wait after a failure are given.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from decklog.model import errors, objects
from decklog.ports import cluster


@dataclass(frozen=True, slots=True)
class Connected:
    """The server took the watch."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Nothing of interest happened up to this version."""

    resource_version: str


Event = Connected | Bookmark | cluster.Changed | cluster.Deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """What the ladder stands on.

    Attributes:
        list_all: everything there is, and at which version.
        connect: one watch connection from a version on, `Connected` first; raises `Expired` where that version is gone.
        wait: called with the number of failures in a row; returns when it is time for another attempt.
    """

    list_all: Callable[[], Awaitable[cluster.Listing]]
    connect: Callable[[str], AsyncGenerator[Event, None]]
    wait: Callable[[int], Awaitable[None]]


@dataclass(slots=True)
class _Position:
    version: str = ""
    reason: str = ""


async def forever(rung: Rung) -> AsyncGenerator[cluster.Signal, None]:
    """List, follow, and when the version expired list again."""
    position = _Position()
    while True:
        for step in (_relist, _until_expired):
            async with aclosing(step(rung, position)) as signals:
                async for signal in signals:
                    yield signal


async def _relist(rung: Rung, position: _Position) -> AsyncGenerator[cluster.Signal, None]:
    """Everything there is, however long it takes to get it. Missing rights are waited for too: they may be granted."""
    failures = 0
    while True:
        try:
            listing = await rung.list_all()
        except errors.DecklogError as error:
            failures += 1
            yield cluster.Interrupted(error)
            await rung.wait(failures)
        else:
            yield cluster.Listed(listing=listing, missed_from=position.version, reason=position.reason)
            position.version = listing.resource_version
            return


async def _until_expired(rung: Rung, position: _Position) -> AsyncGenerator[cluster.Signal, None]:
    """Connection after connection, each from where the last one ended."""
    failures = 0
    while True:
        idle = True
        try:
            async with aclosing(rung.connect(position.version)) as events:
                async for event in events:
                    if failures:
                        failures = 0
                        yield cluster.Resumed()
                    if isinstance(event, Connected):
                        continue
                    idle = False
                    position.version = _version(event)
                    if not isinstance(event, Bookmark):
                        yield event
        except cluster.Expired as error:
            position.reason = error.problem
            return
        except errors.DecklogError as error:
            failures += 1
            yield cluster.Interrupted(error)
            await rung.wait(failures)
        else:
            if idle:  # a server that closes at once must not be asked in a hot loop
                await rung.wait(1)


def _version(event: Bookmark | cluster.Changed | cluster.Deleted) -> str:
    return event.resource_version if isinstance(event, Bookmark) else objects.resource_version(event.object)
