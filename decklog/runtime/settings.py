"""Settings of a service: one validated object from `DECKLOG_*` in the environment, logged once without secrets."""

import re
import stat
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from decklog.model import errors

_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):([^/@\s]*)(?=@)")


class ServiceSettings(BaseSettings):
    """What every service is told. A service adds its own fields in a subclass.

    The field's name in upper case with `DECKLOG_` before it is the variable: `kafka` ↔ `DECKLOG_KAFKA`. One that is
    empty is not set.
    """

    model_config = SettingsConfigDict(env_prefix="DECKLOG_", env_ignore_empty=True, frozen=True, extra="ignore")

    kafka: str = Field(description="bootstrap servers, `host:port,…`")
    topic_prefix: str = Field(default="decklog", pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    state_dir: Path = Field(description="folder of this service alone; it may be lost, never shared")
    token_file: Path = Field(description="file with the bearer token, readable by its owner only")
    ops_host: str = "127.0.0.1"
    ops_port: int = Field(default=0, ge=0, le=65535, description="/livez, /readyz, /metrics; 0 = any free port")
    zipkin: str = Field(default="", description="where traces go, `http://…/api/v2/spans`; empty = nowhere")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    shutdown_seconds: float = Field(default=20.0, gt=0, description="how long a drain may take")

    @model_validator(mode="after")
    def _private_files(self) -> Self:
        check_private(self.token_file)
        return self

    def redacted(self) -> dict[str, str]:
        """Every setting as text, passwords in URLs replaced."""
        return {name: _PASSWORD.sub(r"\1:***", str(value)) for name, value in self.model_dump().items()}


def check_private(path: Path) -> None:
    """Refuse a secret's file that others could read. Raises ValueError, naming the way out."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; create it, readable by its owner only") from error
    if stat.S_IMODE(mode) & 0o077:
        raise ValueError(f"{path} can be read by others (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {path}")


def read_secret(path: Path) -> bytes:
    """Return a secret's text without the line end. Raises Terminal if the file is missing, empty or not private."""
    secret = read_key(path).strip(b"\r\n")
    if not secret:
        raise errors.Terminal("the file is empty", where=str(path), hint="Write the secret into it")
    return secret


def read_key(path: Path) -> bytes:
    """Return a key's bytes, every one of them: random bytes may be line ends. Raises Terminal as `read_secret` does."""
    try:
        check_private(path)
    except ValueError as error:
        raise errors.Terminal(str(error)) from error
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "It must be a file that the user of this service owns"
        raise errors.Terminal(f"it cannot be read: {error.strerror}", where=str(path), hint=hint) from error


def load(kind: type[ServiceSettings], **overrides: Any) -> Any:
    """Read the settings. Raises Terminal that names every variable that is wrong, never its value."""
    try:
        return kind(**overrides)
    except ValidationError as error:
        wrong = [_words(entry["loc"], entry["msg"]) for entry in error.errors(include_input=False)]
        raise errors.Terminal("; ".join(wrong), where="settings", hint="Set these variables and start again") from None


def _words(location: tuple[int | str, ...], said: str) -> str:
    """A problem with its variable; what is wrong with several together names them itself."""
    problem = said.removeprefix("Value error, ")  # pydantic's, before what a validator of ours says
    return f"DECKLOG_{'_'.join(map(str, location)).upper()}: {problem}" if location else problem
