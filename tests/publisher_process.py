"""A publisher as a process of its own that may end itself: python -m tests.publisher_process URI DIR STEP TIMES.

It publishes the ledger as it stands, once. At the TIMES-th time that it reaches the step (a failpoint) it is gone, as
if somebody had pulled it out; if it never does, it ends with status 0.
"""

import asyncio
import concurrent.futures
import ctypes
import multiprocessing.connection
import os
import signal
import sys
from pathlib import Path
from typing import NamedTuple

from decklog import native
from decklog.model import errors, failpoints
from tests import published_log

_PR_SET_PTRACER = 0x59616D61


class Ended(NamedTuple):
    """What a publisher says at its end: the error that ended it, if any, and which of the log's files it left open."""

    error: str
    left_open: list[str]


class AtOnce(concurrent.futures.ThreadPoolExecutor):
    """Runs what it is given in the thread that asks: strace counts the calls of each thread apart."""

    def submit(self, fn, /, *args, **kwargs):
        """Run it; what it raises is for whoever asks for its result."""
        future = concurrent.futures.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 (handed on)
            future.set_exception(error)
        return future


def killer(step: str, times: int) -> failpoints.Failpoint:
    """A failpoint that ends the process."""
    left = [times]

    def failpoint(reached: str) -> None:
        if reached == step:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return failpoint


def when_told(uri: str, path: str, how: str, told: multiprocessing.connection.Connection) -> None:
    """Publish once, in one thread, with what is in C or in Python, when somebody says so; tell how it ended."""
    if how == "Python":
        native.kernel = None
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1))  # Where only parents may trace, this one may be.
    log, error = published_log.Log(uri, Path(path)), ""
    told.recv()
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(AtOnce())
        try:
            runner.run(log.publish(signers=published_log.BOTH))
        except errors.DecklogError as ended:
            error = str(ended)
    names = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    told.send(Ended(error, [name for name in names if name.startswith(path)]))


def main() -> None:
    """Publish once, or die."""
    uri, path, step, times = sys.argv[1:]
    log = published_log.Log(uri, Path(path))
    asyncio.run(log.publish(signers=published_log.BOTH, failpoint=killer(step, int(times))))


if __name__ == "__main__":
    main()
