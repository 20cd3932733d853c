"""A port of loopback on which nobody serves yet, and that nobody else is given meanwhile."""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def held() -> Iterator[int]:
    """A port that refuses connections until a server listens there that was told it.

    That server may share it, as ours and most others do (SO_REUSEADDR): Linux refuses a port only to the second who
    listens, and gives one that is bound to nobody who asks for any.
    """
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
