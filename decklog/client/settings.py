"""Where the server is and who is asking: `DECKLOG_SERVER` and `DECKLOG_TOKEN_FILE`."""

import ipaddress
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from decklog.client import failures
from decklog.model import addresses

SERVER = "DECKLOG_SERVER"
TOKEN_FILE = "DECKLOG_TOKEN_FILE"  # noqa: S105 (the name of a variable)

_WAY_IN = "Start a stack with `make up`, then `source .decklog/env`"


@dataclass(frozen=True, slots=True)
class Settings:
    """A server, and the file that holds the bearer token for it."""

    server: str
    """`http://127.0.0.1:8123`, without a slash at its end."""
    token_file: Path

    @property
    def loopback(self) -> bool:
        """True if the server is on this machine."""
        return is_loopback(urlsplit(self.server).hostname or "")

    @property
    def encrypted(self) -> bool:
        """True if the connection is one of TLS."""
        return urlsplit(self.server).scheme != "http"


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables. Raises Misconfigured."""
    server = environment.get(SERVER, "").strip().rstrip("/")
    if not server:
        raise failures.Misconfigured(f"{SERVER} is not set, so there is no server to ask", hint=_WAY_IN)
    _check_address(server)
    token_file = environment.get(TOKEN_FILE, "").strip()
    if not token_file:
        raise failures.Misconfigured(f"{TOKEN_FILE} is not set, so there is no token to show", hint=_WAY_IN)
    return Settings(server=server, token_file=Path(token_file))


def check_url(text: str, *, where: str, hint: str = addresses.HTTP_HINT) -> addresses.Server:
    """The server of a URL that somebody wrote. Raises Misconfigured; `where`: the variable or argument that has it."""
    try:
        return addresses.http(text)
    except addresses.Wrong as error:
        raise failures.Misconfigured(f"this is not the address of a server: {error}", where=where, hint=hint) from error


def _check_address(server: str) -> None:
    host = check_url(server, where=SERVER, hint="Write http://127.0.0.1:PORT or https://HOST").host
    parts = urlsplit(server)
    if parts.username is not None or parts.password is not None:
        raise failures.Misconfigured(
            "the address holds credentials", where=SERVER, hint=f"Put the token in a file and name it by {TOKEN_FILE}"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise failures.Misconfigured(
            f"http:// to {host} would show the token to the network",
            where=SERVER,
            hint="Use https://, or tunnel to the server's loopback address",
        )


def read_token(path: Path) -> str:
    """Return the bearer token. Raises Misconfigured if there is none, Unauthorised if others can read the file."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds something else than a token"
        raise failures.Misconfigured(f"the token cannot be read: {reason}", where=str(path), hint=_WAY_IN) from error
    check_private(path)
    if not text:
        raise failures.Misconfigured("the token file is empty", where=str(path), hint=_WAY_IN)
    return text


def check_unwritable(path: Path) -> None:
    """Refuse a file or folder that others could write. Raises Unauthorised; OSError if there is none."""
    _check_mode(path, 0o022, "others may write it", f"See that nobody did, and close it: chmod go-w {path}")


def check_private(path: Path) -> None:
    """Refuse a secret's file that others could read. Raises Unauthorised; OSError if there is none."""
    _check_mode(path, 0o077, "the file is open to others", f"Close it: chmod 600 {path}")


def _check_mode(path: Path, forbidden: int, problem: str, hint: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & forbidden:
        raise failures.Unauthorised(f"{problem} (mode {mode:04o}), so it is not used", where=str(path), hint=hint)
