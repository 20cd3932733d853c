"""Zipkin, the page for traces: optional, started last and in the background."""

import asyncio
import signal
import urllib.error
import urllib.request
from pathlib import Path

from deploy.local import cache, context, errors, java, keeper, maven, processes

VERSION = "3.5.1"
ARTIFACT = java.Artifact("io.zipkin", "zipkin-server", VERSION, "exec")
ENTRY = f"zipkin-{VERSION}"
PORTS = ("zipkin",)


def page(port: int) -> str:
    """Where a browser finds it."""
    return f"http://127.0.0.1:{port}/zipkin/"


def endpoint(port: int) -> str:
    """Where spans are sent."""
    return f"http://127.0.0.1:{port}/api/v2/spans"


async def bring_up(ctx: context.Context) -> None:
    """Start Zipkin; it serves about 15 seconds later.

    Raises StackError when it cannot be had: jgo cannot fetch one file without its (unpublished) dependencies.
    """
    tools = await java.obtain(ctx)
    if tools.maven is None and cache.find(ctx.wanted.cache, ENTRY) is None:
        raise errors.StackError("Zipkin is fetched with Maven, which is not on this machine")

    async def fill(target: Path) -> None:
        async with ctx.progress.step("zipkin", f"fetching Zipkin {VERSION} (131 MB)", expected=20):
            await maven.fetch(ctx, tools, (ARTIFACT,), target)

    jars = await ctx.cached("zipkin", ENTRY, fill)
    jar = next(jars.glob("zipkin-server-*.jar"))
    port = ctx.ports["zipkin"]
    program = processes.Program(
        name="zipkin",
        argv=(
            str(tools.program),
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-jar",
            str(jar),
            *_listener(port),
        ),
        cwd=ctx.state.part("zipkin"),
        log=ctx.state.log("zipkin"),
        env=ctx.environment(),
        stop_signal=signal.SIGKILL,  # it keeps nothing, and takes its time to say goodbye
    )
    unit = keeper.Unit(
        program=program, ready=lambda: answers(port), importance=keeper.Importance.RETRIED, start_seconds=120
    )
    await ctx.keeper.keep(unit)


def _listener(port: int) -> tuple[str, ...]:
    """Loopback only: by itself Zipkin listens on every address."""
    options = {"ip": "127.0.0.1", "port": str(port), "protocols[0]": "http"}
    return tuple(f"--armeria.ports[0].{name}={value}" for name, value in options.items())


async def answers(port: int) -> bool:
    """Whether Zipkin says it is healthy."""
    return await asyncio.to_thread(_healthy, port)


def _healthy(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False
