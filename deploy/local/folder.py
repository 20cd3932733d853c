"""The state folder: where everything of one stack lies, and the secrets it mints."""

import base64
import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from decklog.model.tlog import keys

SOCKET_PATH_LIMIT = 107 - len("/.s.PGSQL.65535")
"""sun_path holds 108 bytes with its closing zero (unix(7)); PostgreSQL and etcd put a file name behind the folder."""

MARKER = "this folder belongs to a Decklog local stack"


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths of one stack; the folder is private to its user (0700)."""

    path: Path

    @property
    def env(self) -> Path:
        """What the user sources."""
        return self.path / "env"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for its whole life."""
        return self.path / "lock"

    @property
    def progress(self) -> Path:
        """What the supervisor says while it starts; `up` prints it as it grows."""
        return self.path / "logs" / "up.log"

    @property
    def status(self) -> Path:
        """The supervisor's view of every part, rewritten at each change."""
        return self.path / "status.json"

    @property
    def processes(self) -> Path:
        """One record per running process, to find what a killed supervisor left."""
        return self.path / "processes"

    @property
    def holds(self) -> Path:
        """A file named like a process keeps it stopped."""
        return self.path / "hold"

    @property
    def token(self) -> Path:
        """The bearer token of the API and of ingest's trigger."""
        return self.path / "token"

    @property
    def login_code(self) -> Path:
        """The one-time code that logs a browser in."""
        return self.path / "login-code"

    @property
    def masking_key(self) -> Path:
        """The installation key of masked digests (32 bytes)."""
        return self.path / "masking-key"

    @property
    def logins(self) -> Path:
        """The URIs with which the parts of audit log in to Postgres (`decklog admin postgres logins`)."""
        return self.path / "postgres-logins"

    @property
    def log_key(self) -> Path:
        """The Ed25519 key that signs the ledger's checkpoints."""
        return self.path / "log-key.pem"

    @property
    def published(self) -> Path:
        """The folder of the published log: tiles, entries, checkpoint."""
        return self.path / "published"

    def log(self, name: str) -> Path:
        """The log file of the process called `name`."""
        return self.path / "logs" / f"{name}.log"

    def added(self, service: str) -> Path:
        """What the user adds to the settings of one of Decklog's services."""
        return self.path / f"{service}.env"

    def part(self, name: str) -> Path:
        """The folder of one part (`kafka`, `cluster`, `services/ingest`), made when missing."""
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def sockets(self) -> Path:
        """A private folder whose path is short enough for unix sockets."""
        inside = self.path / "run"
        if len(os.fsencode(inside)) > SOCKET_PATH_LIMIT:
            inside = self.outside("run")
        inside.mkdir(parents=True, exist_ok=True, mode=0o700)
        return inside

    def outside(self, name: str) -> Path:
        """Where a thing goes that cannot live inside: one folder per state folder under the system's temporary one."""
        mark = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"decklog-{os.getuid()}-{mark}" / name

    def make(self) -> None:
        """Make the folder, marked as ours so that `clean` never removes anything else."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.path / "CACHEDIR.TAG").write_text(f"Signature: 8a477f597d28d172789f06886806bc55\n# {MARKER}\n")
        for name in ("logs", "processes", "hold"):
            self.part(name)

    def is_ours(self) -> bool:
        """Whether a stack made this folder."""
        tag = self.path / "CACHEDIR.TAG"
        return tag.is_file() and MARKER in tag.read_text()

    def remove(self) -> None:
        """Remove the folder and what lies outside for it."""
        for path in (self.path, self.outside("x").parent):
            if path.exists():
                shutil.rmtree(path)


def write_atomically(path: Path, data: str) -> None:
    """Replace `path` in one step, for its owner alone: a reader sees the old or the new text, never half of it."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "w") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def mint(path: Path, make: Callable[[], bytes]) -> None:
    """Create the secret file `path` (0600) once; an existing one is kept."""
    with contextlib.suppress(FileExistsError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(make())


def mint_secrets(folder: Folder) -> None:
    """The stack's own secrets; the login code is new at every start, the others live as long as the folder."""
    mint(folder.token, lambda: secrets.token_urlsafe(32).encode())
    mint(folder.masking_key, lambda: secrets.token_bytes(32))
    mint(folder.log_key, lambda: keys.new_pem(secrets.token_bytes(32)))
    folder.login_code.unlink(missing_ok=True)
    mint(folder.login_code, lambda: secrets.token_urlsafe(24).encode())


def random_password() -> bytes:
    """192 random bits that need no quoting in a URI."""
    return base64.urlsafe_b64encode(secrets.token_bytes(24))
