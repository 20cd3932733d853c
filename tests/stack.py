"""The test run's own stack: where it is, how it is started once for all workers, and what each test gets of it.

`make test-stack-up` keeps one running in `.decklog/test`; without it the first test that needs one starts it, all
workers share it, and it ends with the run, however the run ends.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local import client, envfile, folder, supervisor
from services.audit.admin import logins as admin_logins
from services.audit.core.privileges import Part

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / ".decklog" / "test"
GIVEN = "DECKLOG_TEST_STACK"
"""The env file of the stack to use."""
LOGINS = "logins.json"
"""In the stack's folder of templates: the URIs of the parts of audit."""
LAZY = "DECKLOG_TEST_RUN"
"""The state folder of this run's own stack, started by the first test that needs it."""

STACK_VARIABLES = ("DECKLOG_STACK", "DECKLOG_STATE", "DECKLOG_SERVER", "DECKLOG_TOKEN_FILE", "DECKLOG_KAFKA",
                   "DECKLOG_POSTGRES", "DECKLOG_INGEST_OPS", "DECKLOG_LOG_DIR", "KUBECONFIG")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Addresses of real servers that belong to the tests alone."""

    state: Path
    kafka: str
    postgres: str
    kubeconfig: Path

    def pid(self, part: str) -> int:
        """The process of one part (`kafka`, `postgres`, `kube-apiserver`, `etcd`)."""
        return int(json.loads((self.state / "processes" / f"{part}.json").read_text())["pid"])

    def hold(self, part: str) -> None:
        """Stop one part and keep it stopped. Only on a `private_stack`: others use the shared one."""
        _command("--state", str(self.state), "--profile", "test", "hold", part)

    def release(self, part: str) -> None:
        """Start a held part again and wait until it serves."""
        _command("--state", str(self.state), "--profile", "test", "release", part)

    @contextmanager
    def outage(self, part: str) -> Iterator[None]:
        """One part is away inside the block and serves again after it."""
        self.hold(part)
        try:
            yield
        finally:
            self.release(part)


def choose() -> None:
    """In the process that controls the run: decide which stack its workers will use, and start nothing.

    Stacks of a run live for minutes: Java would spend more on compiling them well than it gains.
    """
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
    for name in STACK_VARIABLES:
        os.environ.pop(name, None)
    if GIVEN not in os.environ and supervisor.holder(folder.Folder(KEPT)) is not None and (KEPT / "env").exists():
        os.environ[GIVEN] = str(KEPT / "env")
    if GIVEN not in os.environ:
        os.environ[LAZY] = str(ROOT / ".decklog" / f"run-{os.getpid()}")


def finish() -> None:
    """In the same process: stop and remove what the run started."""
    state = folder.Folder(Path(os.environ.pop(LAZY, "")))
    if state.is_ours():
        client.down(state)
        state.remove()


def current() -> Stack:
    """The run's stack, started when it is not running yet; workers that ask at once wait for the same one."""
    if GIVEN in os.environ:
        return read(Path(os.environ[GIVEN]))
    state = Path(os.environ[LAZY])
    return start(state, owner=int(state.name.removeprefix("run-")))


def start(state: Path, *, owner: int) -> Stack:
    """Start a test stack in `state` that ends with the process `owner`."""
    _command("--state", str(state), "--profile", "test", "up", "--owner", str(owner))
    return read(state / "env")


def remove(state: Path) -> None:
    """Stop the stack in `state` and remove its folder."""
    _command("--state", str(state), "--profile", "test", "clean")


def read(env: Path) -> Stack:
    """The stack of an env file."""
    values = envfile.parse(env.read_text())
    return Stack(
        state=Path(values["DECKLOG_STACK"]),
        kafka=values["DECKLOG_KAFKA"],
        postgres=values["DECKLOG_POSTGRES"],
        kubeconfig=Path(values["KUBECONFIG"]),
    )


def _command(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"deploy.local {' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}")


def unique(kind: str) -> str:
    """A name no other test uses: valid as a topic prefix, a namespace and part of a database's name."""
    return f"{kind}-{secrets.token_hex(5)}"


async def delete_topics(bootstrap: str, prefix: str) -> None:
    """Delete a test's topics, so that the shared broker stays small."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        mine = [name for name in await admin.list_topics() if name.startswith(f"{prefix}.")]
        if mine:
            await admin.delete_topics(mine)
    finally:
        await admin.close()


def in_database(postgres: str, name: str) -> str:
    """The URI of another database of the same server."""
    return urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))


async def create_database(stack: Stack, template: str) -> str:
    """A new database, copied from `template`; returns its URI. The stack's logins may connect, and no other test's.

    As files: copied page by page through the log, which is the default, it would cost five times the processor time.
    """
    name = unique("t").replace("-", "_")
    uri = in_database(stack.postgres, name)
    made = logins(uri).values() if urlsplit(uri).netloc in _logins_of_server else ()
    await _execute(
        stack,
        f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY',
        f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC',
        *(f'GRANT CONNECT ON DATABASE "{name}" TO "{urlsplit(one).username}"' for one in made),
    )
    return uri


async def drop_database(stack: Stack, uri: str) -> None:
    """Drop a test's database, ending sessions that it left."""
    await _execute(stack, f'DROP DATABASE "{urlsplit(uri).path[1:]}" WITH (FORCE)')


async def _execute(stack: Stack, *statements: str) -> None:
    connection = await asyncpg.connect(in_database(stack.postgres, "postgres"))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def migrated_template(stack: Stack) -> str:
    """The name of a database with all migrations applied, made once per stack and set of migrations."""
    files = sorted((ROOT / "migrations").glob("*.sql"))
    digest = hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()[:12]
    name = f"template_{digest}"
    done = stack.state / "templates" / name
    done.parent.mkdir(exist_ok=True)
    with (done.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            asyncio.run(_execute(stack, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
            asyncio.run(_execute(stack, f'CREATE DATABASE "{name}"'))
            migrate(in_database(stack.postgres, name))
            _make_logins(stack, name)
            done.touch()
    _logins_of_server[urlsplit(stack.postgres).netloc] = done.parent / LOGINS
    return name


def logins(uri: str) -> dict[Part, str]:
    """The URIs with which the parts of audit work on a test's database, given its owner's.

    The logins are the stack's: what they may do came with the template, so that a new database costs nothing more.
    """
    made = json.loads(_logins_of_server[urlsplit(uri).netloc].read_text())
    return {Part(part): in_database(one, urlsplit(uri).path[1:]) for part, one in made.items()}


_logins_of_server: dict[str, Path] = {}
"""Where this process finds the logins of a server whose template it has made or found."""


def _make_logins(stack: Stack, template: str) -> None:
    passwords = {part: secrets.token_urlsafe(12) for part in Part}
    made = asyncio.run(admin_logins.ensure(in_database(stack.postgres, template), passwords))
    folder.write_atomically(
        stack.state / "templates" / LOGINS, json.dumps({part.value: uri for part, uri in made.items()})
    )


def migrate(uri: str) -> None:
    """Apply the migrations the way an operator does."""
    environment = os.environ | {"DECKLOG_POSTGRES": uri}
    command = [sys.executable, "-m", "decklog.adapters.postgres.migrations"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"migrations failed:\n{done.stdout}{done.stderr}")


def eventually(holds: Callable[[], bool], seconds: float = 30.0, every: float = 0.05) -> None:
    """Wait until `holds()`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"{holds} did not hold within {seconds} s")
        time.sleep(every)
