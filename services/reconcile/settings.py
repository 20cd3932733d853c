"""What reconcile is told."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from decklog.runtime import settings


class ReconcileSettings(settings.ServiceSettings):
    """Settings of reconcile beside those of every service."""

    masking_key_file: Path = Field(description="file with at least 32 random bytes, readable by its owner only")
    masking_rules_file: Path | None = Field(
        default=None, description="further places whose values are secret, YAML: a list of kind, pointer and pattern"
    )
    kubeconfig: Path | None = Field(
        default=None, validation_alias="KUBECONFIG", description="where the contexts of declared clusters are found"
    )
    credentials_dir: Path | None = Field(default=None, description="folder with one folder per credentials reference")
    request_seconds: float = Field(default=5.0, gt=0, description="how long one write to a cluster may take")
    session_seconds: float = Field(default=10.0, ge=6, description="silence after which others take our partitions")
    heartbeat_seconds: float = Field(default=0.5, gt=0, description="between two heartbeats to the group")
    render_workers: int = Field(default=2, ge=1, description="renders at the same time")

    @model_validator(mode="after")
    def _private_key(self) -> Self:
        settings.check_private(self.masking_key_file)
        return self

    @model_validator(mode="after")
    def _lease(self) -> Self:
        if self.session_seconds - self.request_seconds - 2 * self.heartbeat_seconds <= 0:
            raise ValueError(
                "session_seconds must exceed request_seconds and two heartbeats, or nothing may be written"
            )
        return self
