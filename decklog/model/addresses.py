"""Addresses as people write them: of servers that speak HTTP (RFC 3986), and of databases (libpq's URIs).

What is wrong is found where it is written, before libraries fail over it one after the other, each in its own words.
"""

import ipaddress
import re
from typing import NamedTuple

HTTP_HINT = "Write https://HOST/PATH or, on this machine, http://127.0.0.1:PORT"
POSTGRES_HINT = (
    "Write postgresql://USER:PASSWORD@HOST:PORT/NAME, and / : @ # ? % in a password as %2F %3A %40 %23 %3F %25"
)

_MAX_CHARACTERS = 2_000
_MAX_PORT = 65_535
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*).*", re.DOTALL)
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_SERVER = re.compile(r"(\[[^]]*\]|[^:]*)(?::(.*))?", re.DOTALL)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)


class Wrong(ValueError):
    """A text that is no such address. The words repeat nothing of it: it may hold a password."""


class Server(NamedTuple):
    """The part of an address that says with whom one talks. `host`: without the brackets of IPv6."""

    scheme: str
    host: str
    port: int | None


def is_http(text: str) -> bool:
    """Whether somebody means the URL of a server, well written or not."""
    return text.partition(":")[0].lower() in ("http", "https")


def http(text: str) -> Server:
    """The server of a URL. Raises Wrong for what no HTTP client could ask."""
    if len(text) > _MAX_CHARACTERS:
        raise Wrong(f"a URL has at most {_MAX_CHARACTERS} characters here")
    if not _PRINTABLE.fullmatch(text):
        raise Wrong("a URL holds printable ASCII only: a host as xn--…, anything else as %XX")
    scheme, authority = _parts(text, ("http", "https"))
    server = _server(scheme, authority.rpartition("@")[2])
    _check_international(server.host)
    return server


def postgres(text: str) -> None:
    """Insist on a URI whose servers (there may be several, or none) can be asked. Raises Wrong."""
    scheme, authority = _parts(text, ("postgresql", "postgres"))
    for server in authority.rpartition("@")[2].split(","):
        if server.startswith("%"):
            continue  # a socket's folder
        _server(scheme, f"localhost{server}" if server.startswith(":") or not server else server)


def _check_international(host: str) -> None:
    """HTTP clients read a host that begins so back into its letters (RFC 5891), and cannot ask one that has none."""
    if host.startswith("xn--"):
        import idna  # here, because hardly any host needs its 30 ms

        try:
            idna.decode(host)
        except UnicodeError:
            raise Wrong("its host begins with xn--, and stands for no name in other letters (IDNA 2008)") from None


def _parts(text: str, schemes: tuple[str, ...]) -> tuple[str, str]:
    found = _URL.fullmatch(text)
    if found is None or found[1].lower() not in schemes:
        raise Wrong(f"it does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return found[1].lower(), found[2]


def _server(scheme: str, text: str) -> Server:
    found = _SERVER.fullmatch(text)
    if found is None or (found[1].startswith("[") and not found[1].endswith("]")):
        raise Wrong("its host is no name and no IP address in brackets, as in [::1]")
    _check_host(found[1])
    if found[2] and not (_PORT.fullmatch(found[2]) and 1 <= int(found[2]) <= _MAX_PORT):
        raise Wrong(f"its port is no number from 1 to {_MAX_PORT}")
    return Server(scheme, found[1].strip("[]").lower(), int(found[2]) if found[2] else None)


def _check_host(text: str) -> None:
    if text.startswith("["):
        try:
            ipaddress.IPv6Address(text[1:-1])
        except ValueError:
            raise Wrong("what stands in brackets is no IPv6 address") from None
    elif not text:
        raise Wrong("it names no host")
    elif not _HOST.fullmatch(text):
        raise Wrong("its host is no name that a host can have: letters, digits and hyphens between single dots")
