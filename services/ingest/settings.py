"""What ingest is told."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from decklog.adapters.git import location
from decklog.model import declaration
from decklog.ports import mirror
from decklog.runtime import settings

FLEET_SOURCE = "fleet"
"""Name of the source that is the fleet repository."""


class IngestSettings(settings.ServiceSettings):
    """Settings of ingest beside those of every service."""

    fleet_repo: str = Field(default="", description="URL or absolute path of the fleet repository; empty = none")
    fleet_ref: str = Field(default="refs/heads/main", description="the ref of it that counts")
    poll_seconds: float = Field(default=30.0, gt=0, description="between two looks at a source that says nothing else")
    credentials_dir: Path | None = Field(default=None, description="folder with one folder per credentials reference")
    git_ask_seconds: float = Field(default=30.0, gt=0, description="how long a remote may take to list its refs")
    git_fetch_seconds: float = Field(default=1_800.0, gt=0, description="how long a fetch may take")
    git_max_bytes: int = Field(default=4 * 1024**3, gt=0, description="how large one mirror may become")
    member: str = Field(
        default="",
        description="permanent name of this process in its group; empty = one that is kept in the state folder",
    )

    @model_validator(mode="after")
    def _followable(self) -> Self:
        if self.fleet_repo:
            try:
                location.check(self.fleet_repo)
                object.__setattr__(self, "fleet_ref", declaration.ref_of(self.fleet_ref))
            except mirror.Unusable as error:
                raise ValueError(f"fleet_repo: {error.problem}. {error.hint}") from error
        return self
