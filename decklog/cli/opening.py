"""Where a command reads a published log from: a folder, or a URL with the token of the one server that it is for."""

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from decklog.client import settings

if TYPE_CHECKING:
    from decklog.verifier import source


def log(where: str) -> "source.Source":
    """The log in a folder or behind a URL. Close it."""
    from decklog.verifier import source

    if not source.is_url(where):
        return source.Folder(Path(where))
    return source.url(where, token=_token(where), loopback=settings.is_loopback(urlsplit(where).hostname or ""))


def _token(where: str) -> str | None:
    """The bearer token, for the server of the environment alone."""
    given = os.environ.get(settings.SERVER, "")
    if not given or urlsplit(given)[:2] != urlsplit(where)[:2]:
        return None
    return settings.read_token(settings.read(os.environ).token_file)
