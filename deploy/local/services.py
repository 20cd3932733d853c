"""Decklog's own three services and what must be in place before they start."""

import asyncio
import json
import re
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deploy.local import (
    context,
    envfile,
    errors,
    foreign,
    keeper,
    kubeconfig,
    processes,
    record,
    residents,
    settings,
    zipkin,
)
from deploy.local.demo import repositories

NAMES = ("ingest", "reconcile", "audit")
PORTS = ("audit-api", "ingest-ops", "reconcile-ops", "audit-ops")
TOPIC_PREFIX = "decklog"
LOG_ORIGIN = "decklog.localhost"
"""Domain of the log; its name is this, a slash and the installation's id."""
POLL_SECONDS = 30
"""Between two looks at a remote; the demo's repositories trigger at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """What the services work with."""

    kafka: str
    postgres: str
    kubeconfig: Path


def settings_of(name: str, ctx: context.Context, backends: Backends) -> dict[str, str]:
    """One service's settings: only what it needs, so that audit never sees the masking key nor ingest the database."""
    state = ctx.state
    every = {
        "DECKLOG_KAFKA": backends.kafka,
        "DECKLOG_TOPIC_PREFIX": TOPIC_PREFIX,
        "DECKLOG_STATE_DIR": str(state.part(f"services/{name}")),
        "DECKLOG_OPS_PORT": str(ctx.ports[f"{name}-ops"]),
        "DECKLOG_TOKEN_FILE": str(state.token),
        "DECKLOG_ZIPKIN": zipkin.endpoint(ctx.ports["zipkin"]),
    }
    own = {
        "ingest": {
            "DECKLOG_MASKING_KEY_FILE": str(state.masking_key),
            "DECKLOG_FLEET_REPO": str(state.path / "demo" / "fleet.git"),
            "DECKLOG_FLEET_REF": "refs/heads/main",
            "DECKLOG_POLL_SECONDS": str(POLL_SECONDS),
        },
        "reconcile": {"DECKLOG_MASKING_KEY_FILE": str(state.masking_key), "KUBECONFIG": str(backends.kubeconfig)},
        "audit": {
            **envfile.parse(state.logins.read_text()),
            "DECKLOG_HTTP_PORT": str(ctx.ports["audit-api"]),
            "DECKLOG_LOGIN_CODE_FILE": str(state.login_code),
            "DECKLOG_LOG_ORIGIN": LOG_ORIGIN,
            "DECKLOG_LOG_KEY_FILE": str(state.log_key),
            "DECKLOG_LOG_DIR": str(state.published),
        },
    }
    return every | own[name]


async def bring_all_up(
    ctx: context.Context, addresses: asyncio.Task[Backends], cluster_up: asyncio.Task[Path]
) -> list[str]:
    """Start the services, reconcile as soon as there is a cluster, until what the fleet declares can be read.

    Returns what is wrong with any that fails.
    """
    if ctx.wanted.with_demo and not ctx.wanted.own_cluster:
        foreign.remember_demo(ctx.state)
    await asyncio.to_thread(repositories.make, _demo(ctx.wanted))
    backends = await addresses
    await residents.require_ours(ctx, kafka=backends.kafka, postgres=backends.postgres, prefix=TOPIC_PREFIX)
    await asyncio.gather(_prepare(ctx, "topics", backends), _database(ctx, backends))

    async def after_the_cluster() -> str:
        await cluster_up
        return await _bring_up("reconcile", ctx, backends)

    found = await asyncio.gather(
        _bring_up("ingest", ctx, backends), _bring_up("audit", ctx, backends), after_the_cluster()
    )
    problems = [problem for problem in found if problem]
    return problems or list(filter(None, [await record.holds_the_fleet(ctx.state, ctx.ports["audit-api"])]))


async def _database(ctx: context.Context, backends: Backends) -> None:
    """The schema, then a login for each part of audit: none of them works as who owns it."""
    await _prepare(ctx, "migrations", backends)
    await _prepare(ctx, "logins", backends)


def _demo(wanted: settings.Settings) -> repositories.Demo:
    name = wanted.context or kubeconfig.CONTEXT
    label = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:63]
    return repositories.Demo(state=wanted.state, cluster=label, context=name, applications=wanted.with_demo)


async def _prepare(ctx: context.Context, name: str, backends: Backends) -> None:
    """Run one of the operator's commands that must come before the services: all may be run again at any time."""
    commands = {
        "topics": (str(context.venv_bin() / "decklog"), "admin", "topics", "ensure"),
        "migrations": (sys.executable, "-m", "decklog.adapters.postgres.migrations"),
        "logins": (
            str(context.venv_bin() / "decklog"),
            "admin",
            "postgres",
            "logins",
            "--out",
            str(ctx.state.logins),
        ),
    }
    told = {
        "DECKLOG_KAFKA": backends.kafka,
        "DECKLOG_TOPIC_PREFIX": TOPIC_PREFIX,
        "DECKLOG_POSTGRES": backends.postgres,
    }
    log = ctx.state.log(name)
    program = processes.Program(
        name=name, argv=commands[name], cwd=ctx.wanted.root, log=log, env=ctx.environment(**told)
    )
    await ctx.run(program)


async def _bring_up(name: str, ctx: context.Context, backends: Backends) -> str:
    """Start one service; returns what is wrong when it does not serve in time (it is retried all the same)."""
    program = processes.Program(
        name=name,
        argv=(sys.executable, "-m", f"services.{name}"),
        cwd=ctx.wanted.root,
        log=ctx.state.log(name),
        env=ctx.environment(**settings_of(name, ctx, backends)),
        stop_seconds=30.0,
    )
    port = ctx.ports[f"{name}-ops"]
    unit = keeper.Unit(
        program=program,
        ready=lambda: is_ready(port),
        importance=keeper.Importance.RETRIED,
        added=lambda: envfile.added(ctx.state.added(name)),
    )
    try:
        await ctx.keeper.keep(unit)
    except errors.StackError as error:
        return await asyncio.to_thread(_not_ready, name, port, error)
    ctx.progress.say(name, "ready")
    return ""


def _not_ready(name: str, port: int, error: errors.StackError) -> str:
    """In its own words where it runs and waits for something; else how it ended."""
    found = troubles(port)
    if found is not None and found.waiting:
        return words(name, found)
    return f"{error}\nIt is started again and again; `make status` shows how it fares."


def words(name: str, found: "Troubles") -> str:
    """What a service that is not ready waits for."""
    reasons = "\n".join(f"  {component}: {reason}" for component, reason in found.waiting.items())
    return f"{name} is not ready yet. It waits for\n{reasons}\n`make status` shows when it is."


async def is_ready(port: int) -> bool:
    """Whether the service is ready."""
    found = await asyncio.to_thread(troubles, port)
    return found is not None and not found.waiting


class Troubles(NamedTuple):
    """What the service's /readyz says: what it waits for, and what does not work while the rest does, each with why."""

    waiting: dict[str, str]
    beside: dict[str, str]


def troubles(port: int) -> Troubles | None:
    """What keeps a service; None while nobody answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as not_ready:
        found = json.load(not_ready)
    except OSError:
        return None
    return Troubles(found["waiting"], found["troubles"])
