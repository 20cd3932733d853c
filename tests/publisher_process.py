"""A publisher as a process of its own that may end itself: python -m tests.publisher_process URI DIR STEP TIMES.

It publishes the ledger as it stands, once. At the TIMES-th time that it reaches the step (a failpoint) it is gone, as
if somebody had pulled it out; if it never does, it ends with status 0.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests import published_log


def killer(step: str, times: int) -> "published_log.Failpoint":
    """A failpoint that ends the process."""
    left = [times]

    def failpoint(reached: str) -> None:
        if reached == step:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return failpoint


def main() -> None:
    """Publish once, or die."""
    uri, path, step, times = sys.argv[1:]
    log = published_log.Log(uri, Path(path))
    asyncio.run(log.publish(signers=published_log.BOTH, failpoint=killer(step, int(times))))


if __name__ == "__main__":
    main()
