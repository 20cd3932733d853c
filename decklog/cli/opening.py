"""Where a command reads a published log from: a folder, or a URL with the token of the one server that it is for."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from decklog.client import settings
from decklog.model import addresses

if TYPE_CHECKING:
    from decklog.verifier import source


def log(where: str) -> "source.Source":
    """The log in a folder or behind a URL. Close it."""
    from decklog.verifier import source

    if not addresses.is_http(where):
        return source.Folder(Path(where))
    there = settings.check_url(where, where="DIR|URL")
    return source.url(where, token=_token(there), loopback=settings.is_loopback(there.host))


def _token(there: addresses.Server) -> str | None:
    """The bearer token, for the server of the environment alone."""
    given = os.environ.get(settings.SERVER, "").strip()
    if not given or settings.check_url(given, where=settings.SERVER) != there:
        return None
    return settings.read_token(settings.read(os.environ).token_file)
