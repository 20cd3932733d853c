"""The life of one instance of a service: everything it does to the outside goes through a gate that can close.

`kill` is SIGKILL: from then on no call reaches the outside and no answer comes back, whatever `finally` blocks try.
`pause` is SIGSTOP: calls wait at the gate, before they act or before they see the answer, until `resume`.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar, cast

from tests.simulation import recorders

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone. No `Exception`: nothing in a service may catch it."""


_OWNER: ContextVar["Life | None"] = ContextVar("owner", default=None)


def own(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], context: Context | None = None
) -> "asyncio.Task[T]":
    """A task factory: each task belongs to whoever began it."""
    task = asyncio.Task(work, loop=loop, context=context)
    owner = _OWNER.get() if context is None else context.get(_OWNER)
    if owner is not None:
        owner.tasks.append(task)
        task.add_done_callback(owner.tasks.remove)
    return task


def unowned(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """A task of nobody, whoever's code asked for it: it outlives every instance."""
    clean = copy_context()
    clean.run(_OWNER.set, None)
    return asyncio.create_task(work, context=clean)


class Life:
    """Whether an instance lives, and whether it runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.tasks: list[asyncio.Task[Any]] = []
        """Every task that it began."""
        self._running = asyncio.Event()
        self._running.set()
        self._ended: list[Callable[[], None]] = []

    @property
    def paused(self) -> bool:
        """Whether it is stopped for now."""
        return not self._running.is_set()

    def kill(self) -> None:
        """End it between two instructions; tells whoever asked with `on_death`."""
        if not self.dead:
            self.dead = True
            self._running.set()
            for tell in self._ended:
                tell()
        for task in [task for task in self.tasks if not task.done()]:
            task.cancel()

    def on_death(self, tell: Callable[[], None]) -> None:
        """Call `tell` when it is killed."""
        self._ended.append(tell)

    def pause(self) -> None:
        """Stop it between two instructions."""
        self._running.clear()

    def resume(self) -> None:
        """Let it go on."""
        self._running.set()

    def check(self) -> None:
        """Raise Killed after its death."""
        if self.dead:
            raise Killed(self.name)

    async def running(self) -> None:
        """Wait while it is paused. Raises Killed."""
        self.check()
        await self._running.wait()
        self.check()

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Tasks that begin inside the block are its own, and theirs, and end with it."""
        token = _OWNER.set(self)
        try:
            yield
        finally:
            _OWNER.reset(token)

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """What is called inside the block is written down under its name."""
        token = recorders.SPEAKER.set(self.name)
        try:
            yield
        finally:
            recorders.SPEAKER.reset(token)

    def gate(self, port: T) -> T:
        """The same port, as seen from inside this instance."""
        return cast("T", _Gate(self, port))


class _Gate:
    """Forwards everything to a port, through the life of its owner."""

    def __init__(self, life: Life, port: Any) -> None:
        self._life = life
        self._port = port

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        return self._gated(value) if inspect.ismethod(value) else value

    def _gated(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            self._life.check()
            if inspect.iscoroutinefunction(method):
                return self._awaited(lambda: method(*args, **keywords))
            with self._life.speaking():
                result = method(*args, **keywords)
            if inspect.isasyncgen(result):
                return self._stream(cast("AsyncGenerator[Any, None]", result))
            return result

        return call

    async def _awaited(self, call: Callable[[], Awaitable[Any]]) -> Any:
        await self._life.running()
        try:
            with self._life.speaking():
                return await call()
        finally:
            await self._life.running()

    async def _stream(self, items: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        try:
            await self._life.running()
            async for item in items:
                await self._life.running()
                yield item
        finally:
            await items.aclose()
