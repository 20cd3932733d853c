"""The one boundary where asyncpg's exceptions become ours, sorted by what the caller should do."""

import contextlib
import os
import ssl
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import asyncpg

from decklog.model import errors

# The driver's own confusion (InternalClientError) is what a statement gets on a connection that the server has ended in
# words and not closed yet, as a busy one does.
_OF_THE_DRIVER = (asyncpg.InterfaceError, asyncpg.InternalClientError)
_TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ObjectInUseError,
    *_OF_THE_DRIVER,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,
    EOFError,
)
_TERMINAL = (ssl.SSLCertVerificationError, asyncpg.ClientConfigurationError)
"""Of the transient kinds by class, and yet no weather: somebody must change the URI, a file or a certificate."""

_HOSTNAME_MISMATCH, _ADDRESS_MISMATCH = 62, 64
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""

_HINTS: tuple[tuple[type[BaseException], str], ...] = (
    (asyncpg.DiskFullError, "Free space on the database server; it goes on by itself"),
    (asyncpg.TooManyConnectionsError, "Raise max_connections, or stop what else uses the server"),
    (asyncpg.ReadOnlySQLTransactionError, "The server is a standby or read-only: name the primary"),
    (asyncpg.UndefinedTableError, "Run the migrations: python -m decklog.adapters.postgres.migrations"),
    (asyncpg.InvalidSchemaNameError, "Run the migrations: python -m decklog.adapters.postgres.migrations"),
    (asyncpg.InvalidAuthorizationSpecificationError, "Check user and password in DECKLOG_POSTGRES"),
    (asyncpg.InvalidCatalogNameError, "Create the database, or correct its name in DECKLOG_POSTGRES"),
    (
        asyncpg.InsufficientPrivilegeError,
        "Run `decklog admin postgres check`; before migrating, have an administrator run deploy/postgres/roles.sql",
    ),
)


@contextlib.contextmanager
def translated(where: str = "Postgres") -> Iterator[None]:
    """Raise `Transient` for bad weather and `Terminal` for what a person must put right."""
    try:
        yield
    except (asyncpg.PostgresError, *_OF_THE_DRIVER, OSError, EOFError) as error:
        raise sorted_error(error, where) from error


def sorted_error(error: BaseException, where: str) -> errors.DecklogError:
    """Our error for one of theirs. The server's message is kept, its DETAIL (which quotes rows) is not."""
    what, hint = _what(error), _hint(error)
    if isinstance(error, _TRANSIENT) and not isinstance(error, _TERMINAL):
        return errors.Transient(what, where=where, hint=hint or "Check that Postgres is up and can be reached")
    return errors.Terminal(what, where=where, hint=hint)


def address_of(uri: str) -> str:
    """Where a URI leads, for messages: server and database, and nothing that is secret."""
    parts = urlsplit(uri)
    query = dict(parse_qsl(parts.query))
    server = parts.netloc.rpartition("@")[2] or query.get("host", "")
    return f"{server or 'the usual socket'}{parts.path.rstrip('/')}"


def _what(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not accepted: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, OSError) and error.errno:
        return f"cannot be reached: {os.strerror(error.errno).lower()}"
    if isinstance(error, TimeoutError):
        return "gave no answer in time"
    message = str(error.args[0]).splitlines()[0] if error.args else ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _hint(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (_HOSTNAME_MISMATCH, _ADDRESS_MISMATCH):
            return "Connect by a name that its certificate has, or give the server a certificate for this one"
        return "Name the CA that signed it in the URI: sslrootcert=FILE (PEM)"
    message = str(error)
    if isinstance(error, ConnectionError) and "rejected SSL upgrade" in message:
        return "That server has no TLS: turn it on there (ssl = on); sslmode=disable would send everything in the clear"
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError) and "no encryption" in message:
        return "The server wants TLS: add sslmode=verify-full and sslrootcert=FILE to the URI"
    if isinstance(error, FileNotFoundError):
        return "The server's socket or a file that the URI names (sslrootcert) is not there"
    if isinstance(error, asyncpg.ClientConfigurationError):
        return "Correct the URI, or the file that it names"
    return next((hint for kind, hint in _HINTS if isinstance(error, kind)), "")
