"""What a render returns, and its form on the wire between worker and service: one JSON object a line."""

import base64
from dataclasses import asdict, dataclass
from typing import Any, Self

import orjson

from decklog.model import manifest
from services.reconcile.render.failure import RenderFailure
from services.reconcile.render.limits import RenderLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The objects of a tree.

    Attributes:
        manifests: each with the file it comes from; line 0 where the renderer cannot tell.
        input_paths: files and folders that the result depends on, relative to the tree's root, sorted; empty text is
            the root. While the Git object ids of all of them stay, so does the result.
        renderer: `plain` or `kustomize`.
        version: the renderer's own.
        warnings: what works and is hardly meant.
    """

    manifests: tuple[manifest.Manifest, ...]
    input_paths: tuple[str, ...]
    renderer: str
    version: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One render. `tree` and `kubectl` are absolute paths; `kind` is `auto`, `plain` or `kustomize`."""

    tree: str
    path: str
    kind: str
    kubectl: str
    limits: RenderLimits

    def encode(self) -> bytes:
        """As a line."""
        return orjson.dumps(asdict(self)) + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """From a line."""
        raw = orjson.loads(line)
        return cls(**{**raw, "limits": RenderLimits(**raw["limits"])})


def encode(outcome: Rendered | RenderFailure) -> bytes:
    """An outcome as a line."""
    body = {"rendered": _rendered(outcome)} if isinstance(outcome, Rendered) else {"failure": _failure(outcome)}
    return orjson.dumps(body) + b"\n"


def decode(line: bytes) -> Rendered | RenderFailure:
    """An outcome from a line.

    Raises:
        ValueError: the line is no outcome.
    """
    raw = orjson.loads(line)
    if "failure" in raw:
        return _to_failure(raw["failure"])
    body = raw["rendered"]
    return Rendered(
        manifests=tuple(manifest.Manifest(*one) for one in body["manifests"]),
        input_paths=tuple(body["input_paths"]),
        renderer=body["renderer"],
        version=body["version"],
        warnings=tuple(body["warnings"]),
    )


def _rendered(outcome: Rendered) -> dict[str, Any]:
    return {
        "manifests": [[one.object, one.file, one.line] for one in outcome.manifests],
        "input_paths": outcome.input_paths,
        "renderer": outcome.renderer,
        "version": outcome.version,
        "warnings": outcome.warnings,
    }


def _failure(outcome: RenderFailure) -> dict[str, Any]:
    return {
        "reason": outcome.reason,
        "problem": outcome.problem,
        "file": outcome.file,
        "line": outcome.line,
        "hint": outcome.hint,
        "transient": outcome.transient,
        "secrets": [base64.b64encode(secret).decode() for secret in sorted(outcome.secrets)],
    }


def _to_failure(raw: dict[str, Any]) -> RenderFailure:
    secrets = frozenset(base64.b64decode(secret) for secret in raw.pop("secrets"))
    reason, problem = raw.pop("reason"), raw.pop("problem")
    failure = RenderFailure(reason, problem, **raw)
    failure.secrets = secrets
    return failure
