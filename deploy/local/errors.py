"""What goes wrong with a local stack, as messages that say what happened, where, and what to do next."""

import os
from typing import TextIO

CLOSED = 141
"""Exit status of a command whose output nobody reads any more, as shells have it."""


class StackError(Exception):
    """The stack cannot be started or used; the text is for the user."""


class Missing(StackError):
    """Tools are missing; the text names all of them at once with the ways out."""


def closed(stream: TextIO) -> int:
    """End quietly where a pipe was closed: what is left goes into nothing, or Python complains once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return CLOSED
