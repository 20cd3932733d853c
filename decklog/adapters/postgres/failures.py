"""The one boundary where asyncpg's exceptions become ours, sorted by what the caller should do."""

import contextlib
import os
from collections.abc import Iterator

import asyncpg

from decklog.model import errors

_TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ObjectInUseError,
    asyncpg.InterfaceError,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,
    EOFError,
)
_HINTS: tuple[tuple[type[BaseException], str], ...] = (
    (asyncpg.DiskFullError, "Free space on the database server; it goes on by itself"),
    (asyncpg.TooManyConnectionsError, "Raise max_connections, or stop what else uses the server"),
    (asyncpg.ReadOnlySQLTransactionError, "The server is a standby or read-only: name the primary"),
    (asyncpg.UndefinedTableError, "Run the migrations: python -m decklog.adapters.postgres.migrations"),
    (asyncpg.InvalidSchemaNameError, "Run the migrations: python -m decklog.adapters.postgres.migrations"),
    (asyncpg.InvalidAuthorizationSpecificationError, "Check user and password in DECKLOG_POSTGRES"),
    (asyncpg.InvalidCatalogNameError, "Create the database, or correct its name in DECKLOG_POSTGRES"),
    (asyncpg.InsufficientPrivilegeError, "Give this login the role it needs (see migrations)"),
)


@contextlib.contextmanager
def translated(where: str = "Postgres") -> Iterator[None]:
    """Raise `Transient` for bad weather and `Terminal` for what a person must put right."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, EOFError) as error:
        raise sorted_error(error, where) from error


def sorted_error(error: BaseException, where: str) -> errors.DecklogError:
    """Our error for one of theirs. The server's message is kept, its DETAIL (which quotes rows) is not."""
    what = _what(error)
    hint = next((hint for kind, hint in _HINTS if isinstance(error, kind)), "")
    if isinstance(error, _TRANSIENT):
        return errors.Transient(what, where=where, hint=hint or "It is tried again; check that Postgres is up")
    return errors.Terminal(what, where=where, hint=hint)


def _what(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno:
        return f"cannot be reached: {os.strerror(error.errno).lower()}"
    if isinstance(error, TimeoutError):
        return "gave no answer in time"
    message = str(error.args[0]).splitlines()[0] if error.args else ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
