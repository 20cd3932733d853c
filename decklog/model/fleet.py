"""What is declared now: the fold of the fleet topic that every service makes for itself (DESIGN section 3).

Git beats the API, whatever the order: a declaration by the API neither replaces nor removes one by Git, and one by Git
replaces one by the API for good: when Git lets the name go, it is free, and whoever wants it declares it again.
"""

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from google.protobuf.message import Message

from decklog.events.v1 import fleet_pb2, subject_pb2
from decklog.model import declaration

DECLARED_IN_GIT = "DeclaredInGit"
"""The reason of a refusal: the name is declared in Git."""

Key = tuple[str, str]
"""(kind, name): `("Application", "shop")`."""

_Declaring = fleet_pb2.SourceDeclared | fleet_pb2.ClusterDeclared | fleet_pb2.ApplicationDeclared
_Removing = fleet_pb2.SourceRemoved | fleet_pb2.ClusterRemoved | fleet_pb2.ApplicationRemoved


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A declaration that counts."""

    kind: str
    name: str
    spec: declaration.Spec
    origin: fleet_pb2.Origin
    actor: subject_pb2.Actor
    reason: str

    @property
    def by_git(self) -> bool:
        """True if it is a document in the fleet repository."""
        return self.origin.WhichOneof("way") == "git"

    @property
    def place(self) -> str:
        """Where it was declared, for a message: `apps.yaml:12 of fleet@1a2b3c4d` or `the API`."""
        if not self.by_git:
            return "the API"
        git = self.origin.git
        return f"{git.file}:{git.line} of {git.revision.source}@{git.revision.commit[:8]}"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which cluster a name stands for: uids of `kube-system`."""

    confirmed: str
    seen: str

    @property
    def trusted(self) -> bool:
        """False while the name points at a cluster that nobody has confirmed: nothing may be written there."""
        return self.confirmed == self.seen


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything that is declared."""

    installation: str = ""
    """UUID of the installation; empty until it was created."""
    declared: Mapping[Key, Declaration] = field(default_factory=dict)
    identities: Mapping[str, Identity] = field(default_factory=dict)
    """By name of the cluster."""

    def get(self, kind: str, name: str) -> Declaration | None:
        """Return what is declared under that kind and name."""
        return self.declared.get((kind, name))

    def of_kind(self, kind: str) -> Iterator[Declaration]:
        """Yield the declarations of a kind by name."""
        return (self.declared[key] for key in sorted(self.declared) if key[0] == kind)

    def application(self, name: str) -> fleet_pb2.ApplicationSpec | None:
        """Return the spec of an application."""
        found = self.get("Application", name)
        return found.spec if found and isinstance(found.spec, fleet_pb2.ApplicationSpec) else None

    def source(self, name: str) -> fleet_pb2.SourceSpec | None:
        """Return the spec of a source."""
        found = self.get("Source", name)
        return found.spec if found and isinstance(found.spec, fleet_pb2.SourceSpec) else None

    def cluster(self, name: str) -> fleet_pb2.ClusterSpec | None:
        """Return the spec of a cluster."""
        found = self.get("Cluster", name)
        return found.spec if found and isinstance(found.spec, fleet_pb2.ClusterSpec) else None

    def applications(self) -> Iterator[tuple[str, fleet_pb2.ApplicationSpec]]:
        """Yield (name, spec) of every application, by name."""
        for found in self.of_kind("Application"):
            assert isinstance(found.spec, fleet_pb2.ApplicationSpec)  # noqa: S101 (the fold keeps kinds and specs together)
            yield found.name, found.spec

    def followers(self, source: str, ref: str) -> Iterator[tuple[str, fleet_pb2.ApplicationSpec]]:
        """Yield the applications that follow a ref of a source."""
        return ((name, spec) for name, spec in self.applications() if spec.source == source and spec.ref == ref)


def matches(ref: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a full ref (or HEAD) is one of the followed refs or matches a pattern with `*`."""
    return any(fnmatch.fnmatchcase(ref, pattern) for pattern in patterns)


def accepts(fleet: Fleet, kind: str, name: str, *, by_git: bool) -> Declaration | None:
    """Return the declaration that forbids this one, or None if it would count: only Git overrules Git."""
    current = fleet.get(kind, name)
    return current if current and current.by_git and not by_git else None


def fold(fleet: Fleet, message: Message) -> Fleet:
    """Return the fleet after one more event of the topic. What does not declare anything changes nothing."""
    match message:
        case fleet_pb2.InstallationCreated():
            # Two members may race to mint it: the first in the log is the one.
            return fleet if fleet.installation else replace(fleet, installation=message.installation)
        case fleet_pb2.SourceDeclared() | fleet_pb2.ClusterDeclared() | fleet_pb2.ApplicationDeclared():
            return _declare(fleet, message)
        case fleet_pb2.SourceRemoved() | fleet_pb2.ClusterRemoved() | fleet_pb2.ApplicationRemoved():
            return _remove(fleet, message)
        case fleet_pb2.ClusterIdentityChanged():
            return _see(fleet, message)
        case fleet_pb2.ClusterIdentityConfirmed():
            known = fleet.identities.get(message.cluster)
            seen = known.seen if known else message.uid
            return _identify(fleet, message.cluster, Identity(confirmed=message.uid, seen=seen))
        case _:
            return fleet


def _kind(message: Message, suffix: str) -> str:
    return message.DESCRIPTOR.name.removesuffix(suffix)


def _declare(fleet: Fleet, message: _Declaring) -> Fleet:
    kind = _kind(message, "Declared")
    by_git = message.origin.WhichOneof("way") == "git"
    if accepts(fleet, kind, message.name, by_git=by_git):
        return fleet
    declared = Declaration(
        kind=kind,
        name=message.name,
        spec=message.after,
        origin=message.origin,
        actor=message.actor,
        reason=message.reason,
    )
    return replace(fleet, declared={**fleet.declared, (kind, message.name): declared})


def _remove(fleet: Fleet, message: _Removing) -> Fleet:
    kind = _kind(message, "Removed")
    current = fleet.get(kind, message.name)
    if current is None or current.by_git != (message.origin.WhichOneof("way") == "git"):
        return fleet
    rest = {key: value for key, value in fleet.declared.items() if key != (kind, message.name)}
    return replace(fleet, declared=rest)


def _see(fleet: Fleet, message: fleet_pb2.ClusterIdentityChanged) -> Fleet:
    known = fleet.identities.get(message.cluster)
    confirmed = known.confirmed if known else message.after
    return _identify(fleet, message.cluster, Identity(confirmed=confirmed, seen=message.after))


def _identify(fleet: Fleet, cluster: str, identity: Identity) -> Fleet:
    return replace(fleet, identities={**fleet.identities, cluster: identity})
