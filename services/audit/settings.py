"""Audit's settings."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from decklog.runtime import settings


class AuditSettings(settings.ServiceSettings):
    """What audit is told beyond what every service is."""

    postgres: str = Field(description="the database, `postgresql://user:password@host:port/name`")
    http_host: str = Field(default="127.0.0.1", pattern=r"^(127\.\d+\.\d+\.\d+|localhost|::1)$", description="loopback")
    http_port: int = Field(default=0, ge=0, le=65535, description="API and page; 0 = any free port")
    login_code_file: Path | None = Field(default=None, description="holds the code that logs a browser in once")

    @model_validator(mode="after")
    def _private_code(self) -> Self:
        if self.login_code_file is not None and self.login_code_file.exists():
            settings.check_private(self.login_code_file)
        return self
