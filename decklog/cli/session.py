"""What a command needs from its surroundings: the server of the environment, and what time it is here."""

import os
import time
from typing import TYPE_CHECKING

from decklog.cli import moments, report, zone
from decklog.client import settings

if TYPE_CHECKING:
    from decklog.client import server
    from decklog.verifier import source


def connect() -> "server.Server":
    """Connect to the server that the environment names. Raises Misconfigured or Unauthorised."""
    from decklog.client import server  # the HTTP library takes longer to import than all the rest

    where = settings.read(os.environ)
    return server.Server(where, settings.read_token(where.token_file), warned=report.warning)


def log() -> "source.Source":
    """The published log of the server that the environment names. Raises Misconfigured or Unauthorised."""
    from decklog.verifier import source

    where = settings.read(os.environ)
    return source.url(where.server, token=settings.read_token(where.token_file), loopback=where.loopback)


def now() -> moments.Now:
    """The moment and the zone of this machine."""
    return moments.Now(us=time.time_ns() // 1000, zone=zone.Local())
