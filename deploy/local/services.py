"""Decklog's own three services and what must be in place before they start."""

import asyncio
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from deploy.local import context, keeper, processes, zipkin

NAMES = ("ingest", "reconcile", "audit")
PORTS = ("audit-api", "ingest-ops", "reconcile-ops", "audit-ops")
TOPIC_PREFIX = "decklog"
POLL_SECONDS = 30
"""Between two looks at a remote; the demo's repositories trigger at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """What the services work with."""

    kafka: str
    postgres: str
    kubeconfig: Path
    fleet: str


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
            "DECKLOG_FLEET_REPO": backends.fleet,
            "DECKLOG_FLEET_REF": "refs/heads/main",
            "DECKLOG_POLL_SECONDS": str(POLL_SECONDS),
        },
        "reconcile": {"DECKLOG_MASKING_KEY_FILE": str(state.masking_key), "KUBECONFIG": str(backends.kubeconfig)},
        "audit": {
            "DECKLOG_POSTGRES": backends.postgres,
            "DECKLOG_HTTP_PORT": str(ctx.ports["audit-api"]),
            "DECKLOG_LOGIN_CODE_FILE": str(state.login_code),
        },
    }
    return every | own[name]


async def ensure_topics(ctx: context.Context, kafka: str) -> None:
    """Create the topics, or check that they are as the services need them."""
    decklog = str(context.venv_bin() / "decklog")
    settings = {"DECKLOG_KAFKA": kafka, "DECKLOG_TOPIC_PREFIX": TOPIC_PREFIX}
    program = processes.Program(
        name="topics",
        argv=(decklog, "admin", "topics", "ensure"),
        cwd=ctx.wanted.root,
        log=ctx.state.log("topics"),
        env=ctx.environment(**settings),
    )
    await ctx.run(program)


async def bring_up(name: str, ctx: context.Context, backends: Backends) -> None:
    """Start one service and return when it is ready."""
    program = processes.Program(
        name=name,
        argv=(sys.executable, "-m", f"services.{name}"),
        cwd=ctx.wanted.root,
        log=ctx.state.log(name),
        env=ctx.environment(**settings_of(name, ctx, backends)),
    )
    port = ctx.ports[f"{name}-ops"]
    unit = keeper.Unit(program=program, ready=lambda: is_ready(port), importance=keeper.Importance.RETRIED)
    await ctx.keeper.keep(unit)
    ctx.progress.say(name, "ready")


async def is_ready(port: int) -> bool:
    """Whether the service's /readyz answers 200."""
    return await asyncio.to_thread(_ready, port)


def _ready(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False
