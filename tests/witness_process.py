"""A witness as a process of its own that may end itself: python -m tests.witness_process DIR VKEY STEP.

It is the shipped witness; the first time that it reaches the step (a failpoint of its store) it is gone.
"""

import sys
import time
from pathlib import Path

from decklog.model.tlog import keys
from decklog.witness import keeping, serving, witness
from tests import publisher_process


def main() -> None:
    """Serve until killed."""
    path, vkey, step = sys.argv[1:]
    store = keeping.Store(Path(path), publisher_process.killer(step, 1))
    served = witness.Witness([keys.parse(vkey)], keeping.load(Path(path)), store, lambda: int(time.time()))
    server = serving.Server("127.0.0.1", 0, served, lambda _line: None)
    print(f"at {server.url}", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
