"""A Kubernetes cluster: server-side apply, reads and watches. A real API server, or an in-memory twin for flat objects.

Objects are plain JSON (`decklog.model.objects`). Errors are sorted by what the caller should do: `Unavailable`,
`Stale` and `Expired` pass, `Conflict`, `Rejected`, `Forbidden` and `UnknownKind` come again with the same input. None
of them is masked: whoever records one redacts it first, since an API server quotes what it refuses.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from decklog.model import errors, objects

FIELD_MANAGER = "decklog"
"""The field manager under which everything is applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """How the cluster serves a kind."""

    gvk: objects.Gvk
    plural: str
    namespaced: bool
    verbs: frozenset[str]


class FieldConflict(NamedTuple):
    """A field that another manager owns, as the API server words both."""

    manager: str
    field: str


class Conflict(errors.Refused):
    """Other managers own fields that we would set, and taking them over was not asked for."""

    def __init__(self, problem: str, *, where: str, conflicts: Sequence[FieldConflict]) -> None:
        super().__init__(problem, where=where, hint="Let go of the fields in Git, or set `conflicts: force`")
        self.conflicts = tuple(conflicts)


class Rejected(errors.Refused):
    """The API server does not take the object as it is: schema, validation, an admission webhook that said no."""


class Forbidden(errors.Refused):
    """Our account may not do this. Nothing can be said about what it would have seen."""


class NotFound(errors.Refused):
    """The object, or the namespace that it would live in, is not there."""


class UnknownKind(errors.Refused):
    """The cluster does not serve this group, version and kind."""


class Stale(errors.Transient):
    """The object is no longer the one that was read: another uid, another resourceVersion, or gone. Read it again."""


class Expired(errors.Transient):
    """A resourceVersion from which the API server can no longer continue: list again."""


class Unavailable(errors.Transient):
    """The API server cannot be reached, or cannot answer now."""


@dataclass(frozen=True, slots=True)
class Precondition:
    """Which incarnation and version of an object is meant. Always both: a resourceVersion without a uid would create
    an object anew that somebody deleted in between.
    """

    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Every object of a kind at one resourceVersion."""

    objects: tuple[objects.KubeObject, ...]
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A watch begins, or begins again: this is all there is now.

    `missed_from` is empty the first time; later it is the last version seen, since versions after it may have been
    missed, and `reason` says why.
    """

    listing: Listing
    missed_from: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """An object was created or has a new version."""

    object: objects.KubeObject


@dataclass(frozen=True, slots=True)
class Deleted:
    """An object is gone; this is its last state, under the resourceVersion of the deletion."""

    object: objects.KubeObject


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The watch is blind for now and goes on trying; `Resumed` or `Listed` ends it."""

    error: errors.DecklogError


@dataclass(frozen=True, slots=True)
class Resumed:
    """The watch sees again, and nothing was missed."""


Signal = Listed | Changed | Deleted | Interrupted | Resumed


class Cluster(Protocol):
    """One cluster, under one account. Every call is bounded by a timeout; `request_timeout` is that of a write."""

    @property
    def request_timeout(self) -> float:
        """Seconds after which a write is given up: how long one may still be under way."""
        ...

    async def identity(self) -> str:
        """The uid of the `kube-system` namespace: the cluster's permanent name. Always asked, never remembered."""
        ...

    async def resources(self, *, refresh: bool = False) -> Mapping[objects.Gvk, Resource]:
        """The kinds that the cluster serves, remembered from the first call on until `refresh`."""
        ...

    async def resource(self, gvk: objects.Gvk) -> Resource:
        """How a kind is served. Asks again for a kind that is not remembered. Raises `UnknownKind`."""
        ...

    async def list_all(self, resource: Resource, *, namespace: str = "") -> Listing:
        """Every object of a kind, in one namespace or in all."""
        ...

    def watch(self, resource: Resource, *, namespace: str = "") -> AsyncGenerator[Signal, None]:
        """Follow a kind for ever, through lost connections and expired versions. Never raises for bad weather."""
        ...

    async def get(self, resource: Resource, key: objects.ObjectKey) -> objects.KubeObject:
        """Read one object. Raises `NotFound`."""
        ...

    async def apply(
        self,
        resource: Resource,
        body: objects.KubeObject,
        *,
        expect: Precondition | None,
        force: bool,
        dry_run: bool,
    ) -> objects.KubeObject:
        """Server-side apply under `FIELD_MANAGER`; returns the object as it then is.

        `expect=None` means that it should not exist yet (a create is not fenced: the API server has no precondition
        for it). `force` takes fields over from other managers. With `dry_run` nothing is stored.
        """
        ...

    async def release(
        self, resource: Resource, key: objects.ObjectKey, patch: Sequence[objects.KubeObject]
    ) -> objects.KubeObject:
        """Apply a JSON Patch to the object's `managedFields`. Its tests make it fail as `Stale`."""
        ...

    async def delete(self, resource: Resource, key: objects.ObjectKey, *, expect: Precondition, dry_run: bool) -> None:
        """Delete one object, its dependents in the background. `NotFound` if it is gone already."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...
