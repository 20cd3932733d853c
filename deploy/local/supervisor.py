"""The one process that starts, watches and stops a stack. It holds the state folder's lock for as long as it lives."""

import asyncio
import fcntl
import os
import signal
import sys
from dataclasses import dataclass

from deploy.local import (
    cluster,
    context,
    control_plane,
    envfile,
    errors,
    folder,
    kafka,
    keeper,
    ports,
    postgres,
    processes,
    progress,
    services,
    settings,
    status,
    zipkin,
)

ALREADY_RUNNING = 75
"""Exit status (EX_TEMPFAIL of sysexits.h) when another supervisor holds the folder."""

STOP_TOGETHER = (cluster.STOP_ORDER, ("kafka",), ("postgres",))


@dataclass(frozen=True, slots=True)
class Attachment:
    """Who must stay alive for the stack to go on: `up` until it has finished (its pipe is our stdin), or an owner."""

    stdin: bool
    owner: int | None


def lock(state: folder.Folder) -> int | None:
    """Take the folder's lock and write our pid into it; None when another process holds it."""
    fd = os.open(state.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    os.ftruncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())
    return fd


def holder(state: folder.Folder) -> int | None:
    """The pid of the running supervisor; None when there is none, whatever a stale file says."""
    try:
        fd = os.open(state.lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(fd, 32, 0) or b"0") or None
    finally:
        os.close(fd)
    return None


def run(wanted: settings.Settings, attachment: Attachment) -> int:
    """Run a stack until it is told to stop; returns the exit status."""
    state = folder.Folder(wanted.state)
    state.make()
    held = lock(state)
    if held is None:
        return ALREADY_RUNNING
    try:
        return asyncio.run(_run(wanted, state, attachment))
    finally:
        os.close(held)


async def _run(wanted: settings.Settings, state: folder.Folder, attachment: Attachment) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    watching = _watch(attachment, stopping)
    board = status.Board(state.status, wanted.digest())
    board.turn("starting")
    told = progress.Progress.start(state.progress)
    for name in processes.end_leftovers(state.processes):
        told.say(name, "was left running by a killed supervisor: ended")
    folder.mint_secrets(state)
    with ports.assigned(state, _port_names(wanted)) as chosen:
        ctx = context.Context(
            wanted=wanted, state=state, ports=chosen, keeper=keeper.Keeper(state, board), progress=told
        )
        try:
            return await _until_stopped(ctx, board, stopping)
        finally:
            state.env.unlink(missing_ok=True)
            for task in watching:
                task.cancel()


async def _until_stopped(ctx: context.Context, board: status.Board, stopping: asyncio.Event) -> int:
    starting = asyncio.create_task(_start(ctx), name="start")
    told_to_stop = asyncio.create_task(stopping.wait(), name="told to stop")
    background: asyncio.Task[None] | None = None
    failure = None
    try:
        await asyncio.wait({starting, told_to_stop}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.is_set():
            problems = starting.result()
            board.turn("ready", problems)
            if ctx.wanted.profile is settings.Profile.DEV:
                background = asyncio.create_task(_traces(ctx, board), name="zipkin")
            await stopping.wait()
    except* errors.StackError as group:
        failure = "\n".join(str(error) for error in _flat(group))
    finally:
        await _cancel(starting, told_to_stop, *([background] if background else []))
        board.turn("stopping")
        await _stop(ctx.keeper)
        for finish in ctx.after_stop:
            finish()
    board.turn("failed" if failure else "stopped", failure or "")
    return 1 if failure else 0


def _flat(group: BaseExceptionGroup[errors.StackError]) -> list[errors.StackError]:
    flat: list[errors.StackError] = []
    for error in group.exceptions:
        flat.extend(_flat(error) if isinstance(error, BaseExceptionGroup) else [error])
    return flat


async def _cancel(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _port_names(wanted: settings.Settings) -> tuple[str, ...]:
    servers = (*kafka.PORTS, *postgres.PORTS, *cluster.PORTS)
    return (*servers, *zipkin.PORTS, *services.PORTS) if wanted.profile is settings.Profile.DEV else servers


async def _start(ctx: context.Context) -> str:
    """Start everything, each part as soon as what it needs is there; returns what does not work yet, for the user."""
    full = ctx.wanted.profile is settings.Profile.DEV
    control_plane.require(ctx.wanted, ctx.environment().get("PATH"))
    async with asyncio.TaskGroup() as group:
        kafka_up = group.create_task(kafka.bring_up(ctx), name="kafka")
        postgres_up = group.create_task(postgres.bring_up(ctx, durable=full), name="postgres")
        cluster_up = group.create_task(cluster.bring_up(ctx), name="cluster")
        addresses = group.create_task(_addresses(ctx, kafka_up, postgres_up), name="addresses")
        if full:
            problems = group.create_task(services.bring_all_up(ctx, addresses, cluster_up), name="services")
    return "\n".join(problems.result()) if full else ""


async def _addresses(
    ctx: context.Context, kafka_up: asyncio.Task[str], postgres_up: asyncio.Task[str]
) -> services.Backends:
    backends = services.Backends(
        kafka=await kafka_up, postgres=await postgres_up, kubeconfig=cluster.kubeconfig_of(ctx)
    )
    envfile.write(ctx.state.env, _environment(ctx, backends), context.venv_bin())
    return backends


def _environment(ctx: context.Context, backends: services.Backends) -> dict[str, str]:
    values = {
        "DECKLOG_STACK": str(ctx.state.path),
        "DECKLOG_KAFKA": backends.kafka,
        "DECKLOG_POSTGRES": backends.postgres,
        "KUBECONFIG": str(backends.kubeconfig),
        "DECKLOG_TOKEN_FILE": str(ctx.state.token),
    }
    if ctx.wanted.profile is settings.Profile.DEV:
        values["DECKLOG_SERVER"] = f"http://127.0.0.1:{ctx.ports['audit-api']}"
        values["DECKLOG_LOG_DIR"] = str(ctx.state.published)
        values["DECKLOG_INGEST_OPS"] = f"http://127.0.0.1:{ctx.ports['ingest-ops']}"
    return values


async def _traces(ctx: context.Context, board: status.Board) -> None:
    try:
        await zipkin.bring_up(ctx)
    except errors.StackError as error:
        board.show("zipkin", "missing", detail=f"traces are not kept: {str(error).splitlines()[0]}")


async def _stop(kept: keeper.Keeper) -> None:
    await asyncio.gather(*(kept.stop((name,)) for name in (*services.NAMES, "zipkin")))
    await asyncio.gather(*(kept.stop(names) for names in STOP_TOGETHER))


def _watch(attachment: Attachment, stopping: asyncio.Event) -> list[asyncio.Task[None]]:
    if attachment.stdin:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _read_stdin, stopping)
    if attachment.owner is None:
        return []
    return [asyncio.create_task(_follow_owner(attachment.owner, stopping), name="owner")]


def _read_stdin(stopping: asyncio.Event) -> None:
    """`up` writes a byte when it has finished; its end before that means that it was killed."""
    asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
    if not os.read(sys.stdin.fileno(), 1):
        stopping.set()


async def _follow_owner(owner: int, stopping: asyncio.Event) -> None:
    started = processes.start_time(owner)
    while started is not None and processes.start_time(owner) == started:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(1.0)
    stopping.set()
