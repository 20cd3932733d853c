"""Running git: hermetic, without prompts, in a process group that is killed whole when time or patience ends."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from decklog.adapters.git import complaints, location
from decklog.ports import mirror

_MOST_STDERR = 64 * 1024
_CHUNK = 256 * 1024

# What of the service's own environment git needs: programs, SSH's files and agent, proxies, trust anchors.
_PASSED = (
    "PATH",
    "HOME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
)

CONFIGURATION = """\
# Written by Decklog: the only configuration its git reads.
[safe]
\tdirectory = *
[core]
\thooksPath = /dev/null
\tfsmonitor = false
[credential]
\thelper =
[gc]
\tauto = 0
[maintenance]
\tauto = false
[fetch]
\tunpackLimit = 1
[transfer]
\tunpackLimit = 1
[protocol]
\tversion = 2
[http]
\tfollowRedirects = initial
\tlowSpeedLimit = 1000
\tlowSpeedTime = 30
"""

SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "StrictHostKeyChecking=yes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """How git is run for one source. `where` is what errors name; `options` stand before the sub-command."""

    configuration: Path
    where: str
    address: str
    options: tuple[str, ...] = ()
    ssh: tuple[str, ...] = field(default=SSH)

    def environment(self) -> Mapping[str, str]:
        """The whole environment of the process: nothing of the user's own git is inherited."""
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        return {
            **passed,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(self.configuration),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": ":".join(location.TRANSPORTS),
            "GIT_SSH_COMMAND": " ".join(map(quoted, self.ssh)),
            "GIT_SSH_VARIANT": "ssh",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
        }

    async def run(
        self, *arguments: str, stdin: bytes = b"", timeout: float, accept: Sequence[int] = (0,)
    ) -> tuple[int, bytes]:
        """Run to the end; exit code and what was printed. Raises Unavailable for another code, or after `timeout` s."""
        async with self._process(*arguments) as process:
            stderr = asyncio.create_task(_tail(process.stderr), name="git-stderr")
            try:
                async with asyncio.timeout(timeout):
                    _, output = await asyncio.gather(_feed(process.stdin, stdin), _all(process.stdout))
                    said = await stderr
                    code = await process.wait()
            except TimeoutError as error:
                raise self._timed_out(timeout) from error
            finally:
                stderr.cancel()
        if code not in accept:
            raise self._sorted(said)
        return code, output

    async def lines(self, *arguments: str, stdin: bytes = b"", timeout: float) -> AsyncIterator[list[str]]:
        """Run and yield the lines printed, some at a time; `timeout` seconds may pass between two portions.

        Raises Unavailable if it fails, also after lines were yielded.
        """
        async with self._process(*arguments) as process:
            stderr = asyncio.create_task(_tail(process.stderr), name="git-stderr")
            feed = asyncio.create_task(_feed(process.stdin, stdin), name="git-stdin")
            try:
                rest = b""
                while chunk := await self._read(process.stdout, timeout):
                    *whole, rest = (rest + chunk).split(b"\n")
                    if whole:
                        yield [line.decode(errors="replace") for line in whole]
                if await process.wait() != 0:
                    raise self._sorted(await stderr)
            finally:
                stderr.cancel()
                feed.cancel()

    async def _read(self, stream: asyncio.StreamReader | None, timeout: float) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                return await stream.read(_CHUNK) if stream else b""
        except TimeoutError as error:
            raise self._timed_out(timeout) from error

    def _sorted(self, said: str) -> mirror.Unavailable:
        folder = str(self.configuration.parent)
        return complaints.sort(said, where=self.where, address=self.address, folder=folder)

    def _timed_out(self, timeout: float) -> mirror.Unavailable:
        return mirror.Unavailable(
            mirror.Reason.TIMED_OUT,
            f"git took longer than {timeout:g} s and was stopped",
            where=self.where,
            hint="Check the network, or allow more time",
        )

    @contextlib.asynccontextmanager
    async def _process(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start git as the leader of a process group, and leave none of the group behind."""
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                *self.options,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self.environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise mirror.Unavailable(
                mirror.Reason.GIT_FAILED,
                f"git cannot be started: {error.strerror}",
                where=self.where,
                hint="Install git 2.36 or newer on the PATH of the service",
            ) from error
        try:
            yield process
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())


async def _feed(stream: asyncio.StreamWriter | None, content: bytes) -> None:
    if stream is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # git ended early: its exit code tells why
        stream.write(content)
        await stream.drain()
    stream.close()


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream else b""


async def _tail(stream: asyncio.StreamReader | None) -> str:
    """The last part of what is printed; all of it is read, so that git never waits for us."""
    kept = b""
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        kept = (kept + chunk)[-_MOST_STDERR:]
    return kept.decode(errors="replace")


def quoted(word: str) -> str:
    """One word as a shell reads it: git hands some settings to one."""
    return "'" + word.replace("'", "'\\''") + "'"
