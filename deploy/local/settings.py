"""What the user asked of the local stack, read once from the environment into one frozen value."""

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

GIVEN = "DECKLOG_GIVEN"
"""Names of the variables that were given on make's command line, separated by spaces (the Makefile exports it)."""

COMMAND_LINE_ONLY = frozenset({"CONTEXT", "KUBECONFIG", "DEMO"})
"""Never taken from the inherited environment: they let the stack write into a cluster that it did not start."""


class Profile(enum.Enum):
    """What a stack is made of: `dev` has everything; `test` is Kafka, Postgres and Kubernetes, not durable."""

    DEV = "dev"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One stack's settings; paths are absolute. `None` for a server means: start our own."""

    root: Path
    state: Path
    cache: Path
    profile: Profile
    kafka: str | None = None
    postgres: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    demo: bool = False
    dev_cluster_bin: Path | None = None
    kubebuilder_assets: Path | None = None

    @property
    def own_cluster(self) -> bool:
        """Whether the cluster is ours: on any other one nothing is created without `demo`."""
        return self.context is None

    @property
    def with_demo(self) -> bool:
        """Whether the demo's two applications are declared."""
        return self.profile is Profile.DEV and (self.own_cluster or self.demo)

    def digest(self) -> str:
        """Tells whether a running stack is the one that is asked for; holds no secret in the clear."""
        chosen = (self.profile.value, self.kafka, self.postgres, self.context, str(self.kubeconfig), self.demo)
        return hashlib.sha256(json.dumps(chosen).encode()).hexdigest()[:16]


def read(environ: Mapping[str, str], *, root: Path, home: Path, profile: Profile, state: Path | None) -> Settings:
    """The settings that `environ` asks for; `state` (an explicit argument) wins over the environment.

    With DECKLOG_STACK set the environment comes from a running stack's env file, so its DECKLOG_* are not requests.
    A test stack takes nothing from the environment but where programs and the cache are.
    """
    given = _requests(environ) if profile is Profile.DEV else {}
    folder = state or Path(given.get("DECKLOG_STATE") or root / ".decklog")
    context = given.get("CONTEXT")
    return Settings(
        root=root,
        state=folder.expanduser().absolute(),
        cache=Path(environ.get("XDG_CACHE_HOME") or home / ".cache").absolute() / "decklog",
        profile=profile,
        kafka=given.get("DECKLOG_KAFKA"),
        postgres=given.get("DECKLOG_POSTGRES"),
        context=context,
        kubeconfig=Path(given.get("KUBECONFIG") or home / ".kube" / "config").absolute() if context else None,
        demo=given.get("DEMO", "") not in {"", "0"},
        dev_cluster_bin=_path(environ.get("DEV_CLUSTER_BIN")),
        kubebuilder_assets=_path(environ.get("KUBEBUILDER_ASSETS")),
    )


def _requests(environ: Mapping[str, str]) -> dict[str, str]:
    explicit = frozenset(environ.get(GIVEN, "").split())
    inside = environ.get("DECKLOG_STACK")
    chosen = {name: environ[name] for name in explicit if environ.get(name)}
    if not inside:
        inherited = {"DECKLOG_KAFKA", "DECKLOG_POSTGRES", "DECKLOG_STATE"}
        chosen = {name: environ[name] for name in inherited if environ.get(name)} | chosen
    elif environ.get("DECKLOG_STATE") == inside:
        chosen.setdefault("DECKLOG_STATE", inside)
    return chosen


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None
