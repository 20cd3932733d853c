"""Audit's settings."""

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from decklog.model import addresses, timestamps, topics
from decklog.runtime import settings
from services.audit.core.privileges import Part
from services.audit.publisher import exposure, ring

_DOMAIN = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[a-z0-9._-]+)*$"
_LOG = "DECKLOG_LOG_ORIGIN, DECKLOG_LOG_KEY_FILE and DECKLOG_LOG_DIR come together: set all three to publish, or none"


class AuditSettings(settings.ServiceSettings):
    """What audit is told beyond what every service is."""

    postgres_writer: str = Field(description="the database for who sequences, `postgresql://user:password@host/name`")
    postgres_projector: str = Field(description="the same for who projects")
    postgres_api: str = Field(description="the same for who answers requests")
    postgres_eraser: str = Field(description="the same for who erases what the law demands")
    backup_days: int | None = Field(default=None, ge=0, le=36_500, description="how long backups are kept, to be told")
    http_host: str = Field(default="127.0.0.1", pattern=r"^(127\.\d+\.\d+\.\d+|localhost|::1)$", description="loopback")
    http_port: int = Field(default=0, ge=0, le=65535, description="API and page; 0 = any free port")
    login_code_file: Path | None = Field(default=None, description="holds the code that logs a browser in once")
    log_origin: str | None = Field(
        default=None,
        pattern=_DOMAIN,
        description="domain of the log, for ever; its name is this, a slash, the installation",
    )
    log_key_file: Path | None = Field(default=None, description="the log's Ed25519 key (PKCS #8), its owner's alone")
    log_next_key_file: Path | None = Field(
        default=None, description="the key that is to replace it: `decklog ledger rotate`"
    )
    log_mldsa44_key_file: Path | None = Field(
        default=None, description="a key with which every checkpoint is signed, too: ML-DSA-44 (PKCS #8)"
    )
    log_dir: Path | None = Field(default=None, description="folder of the log; it is as precious as the database")
    admitted_poison: str = Field(
        default="",
        description="`TOPIC=MOMENT[,…]`: poison sent until then becomes dead letters, however much of the topic it is",
    )
    log_minimum_index: int = Field(
        default=0, ge=0, description="leaves before it are pruned: their tiles and entries stay, and are not served"
    )
    log_public: bool = Field(default=False, description="serve checkpoint, tiles and entries without a token")
    log_policy: Path | None = Field(
        default=None, description="witnesses of the log and their quorum, a file after c2sp.org/tlog-policy"
    )
    log_tsa: str | None = Field(
        default=None, pattern=r"^https?://[^/@]+(/.*)?$", description="who stamps checkpoints with the time (RFC 3161)"
    )
    log_tsa_ca_file: Path | None = Field(default=None, description="certificates at which its chain ends, PEM")
    log_tsa_interval: float = Field(default=3600.0, ge=1, description="seconds between two time stamps, at least")
    log_wait: bool = Field(default=False, description="serve a checkpoint only when the quorum has cosigned it")

    @property
    def logins(self) -> dict[Part, str]:
        """The URI of each part."""
        return {
            Part.WRITER: self.postgres_writer,
            Part.PROJECTOR: self.postgres_projector,
            Part.API: self.postgres_api,
            Part.ERASER: self.postgres_eraser,
        }

    @field_validator("postgres_writer", "postgres_projector", "postgres_api", "postgres_eraser")
    @classmethod
    def _database(cls, uri: str) -> str:
        try:
            addresses.postgres(uri)
        except addresses.Wrong as error:
            raise ValueError(f"{error}. {addresses.POSTGRES_HINT}") from error
        return uri

    @field_validator("log_tsa")
    @classmethod
    def _authority(cls, url: str | None) -> str | None:
        try:
            if url is not None:
                addresses.http(url)
        except addresses.Wrong as error:
            raise ValueError(f"{error}. {addresses.HTTP_HINT}") from error
        return url

    @model_validator(mode="after")
    def _private_code(self) -> Self:
        if self.login_code_file is not None and self.login_code_file.exists():
            settings.check_private(self.login_code_file)
        return self

    @property
    def admitted(self) -> dict[str, int]:
        """Microseconds by topic of `admitted_poison`. Raises ValueError."""
        pairs = [one.strip().partition("=") for one in self.admitted_poison.split(",") if one.strip()]
        return {topic: timestamps.parse_us(moment) for topic, _, moment in pairs}

    @model_validator(mode="after")
    def _admitted(self) -> Self:
        try:
            self.admitted  # noqa: B018 (read for what it raises)
        except ValueError as error:
            problem = f"DECKLOG_ADMITTED_POISON: {error}; write TOPIC=2026-11-26T10:40:00Z, several with commas between"
            raise ValueError(problem) from error
        ours = [topic.name(self.topic_prefix) for topic in topics.SEQUENCED]
        for topic in self.admitted:
            if topic not in ours:
                raise ValueError(
                    f"DECKLOG_ADMITTED_POISON: {topic!r} is no topic that is sequenced; those are {', '.join(ours)}"
                )
        return self

    @model_validator(mode="after")
    def _whole_log(self) -> Self:
        given = [one is not None for one in (self.log_origin, self.log_key_file, self.log_dir)]
        if any(given) != all(given):
            raise ValueError(_LOG)
        if (self.log_tsa is None) != (self.log_tsa_ca_file is None):
            raise ValueError("DECKLOG_LOG_TSA and DECKLOG_LOG_TSA_CA_FILE come together: an answer is verified")
        if self.log_tsa is not None and self.log_dir is None:
            raise ValueError(f"DECKLOG_LOG_TSA stamps a published log. {_LOG}")
        if self.log_policy is not None and self.log_dir is None:
            raise ValueError(f"DECKLOG_LOG_POLICY is about a published log. {_LOG}")
        if self.log_wait and self.log_policy is None:
            raise ValueError("DECKLOG_LOG_WAIT waits for the witnesses of DECKLOG_LOG_POLICY: set it, too")
        return self

    @model_validator(mode="after")
    def _own_log(self) -> Self:
        if self.log_dir is not None:
            try:
                exposure.check(self.log_dir)
            except ValueError as error:
                raise ValueError(f"DECKLOG_LOG_DIR: {error}") from error
        return self

    @model_validator(mode="after")
    def _private_keys(self) -> Self:
        more = {ring.NEXT: self.log_next_key_file, ring.SECOND: self.log_mldsa44_key_file}
        for name, file in more.items():
            if file is not None and self.log_key_file is None:
                raise ValueError(f"{name} is about a published log. {_LOG}")
        for name, file in {ring.CURRENT: self.log_key_file, **more}.items():
            if file is not None:
                try:
                    settings.check_private(file)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from error
        return self
