"""The registry of events: which message travels under which CloudEvents type, on which topic, from which service.

The names are permanent (DESIGN section 4): a type that was released once is never renamed, moved or reused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from google.protobuf.message import DecodeError, Message

from decklog.events.v1 import access_pb2, apply_pb2, control_pb2, drift_pb2, fleet_pb2, git_pb2, live_pb2

TYPE_PREFIX = "dev.decklog.v1."
"""Every `ce_type` is this prefix and the name of the message."""


class Identity(Enum):
    """How an event gets its id."""

    DERIVED = "derived"
    """Id and bytes are functions of an immutable input; whoever sees the input builds the same event."""
    OBSERVED = "observed"
    """The id is minted once, and the bytes are kept and resent unchanged."""


class UnknownType(ValueError):
    """A `ce_type` or a message that is not in the registry."""


class Malformed(ValueError):
    """Bytes that are not the message their `ce_type` names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type of event."""

    message: type[Message]
    topic: str
    """Name of the topic without prefix and version: `git` of `decklog.git.v1`."""
    identity: Identity
    producers: frozenset[str]
    """Services that may say this."""

    @property
    def ce_type(self) -> str:
        """`dev.decklog.v1.<Message>`."""
        return TYPE_PREFIX + self.message.DESCRIPTOR.name


def _kinds(
    topic: str,
    producers: Iterable[str],
    messages: Iterable[type[Message]],
    identity: Identity = Identity.OBSERVED,
) -> list[Kind]:
    who = frozenset(producers)
    return [Kind(message=message, topic=topic, identity=identity, producers=who) for message in messages]


KINDS: tuple[Kind, ...] = (
    *_kinds("git", ["ingest"], [git_pb2.CommitObserved], Identity.DERIVED),
    *_kinds("git", ["ingest"], [git_pb2.RefMoved, git_pb2.SourceFailed]),
    *_kinds("fleet", ["ingest"], [fleet_pb2.InstallationCreated]),
    *_kinds(
        "fleet",
        ["ingest", "audit"],
        [
            fleet_pb2.SourceDeclared,
            fleet_pb2.SourceRemoved,
            fleet_pb2.ClusterDeclared,
            fleet_pb2.ClusterRemoved,
            fleet_pb2.ApplicationDeclared,
            fleet_pb2.ApplicationRemoved,
            fleet_pb2.DeclarationRefused,
        ],
    ),
    *_kinds("fleet", ["reconcile"], [fleet_pb2.ClusterIdentityChanged]),
    *_kinds("fleet", ["audit"], [fleet_pb2.ClusterIdentityConfirmed]),
    *_kinds("control", ["ingest"], [control_pb2.RevisionAvailable]),
    *_kinds(
        "control",
        ["audit"],
        [
            control_pb2.SyncRequested,
            control_pb2.ErasureRequested,
            control_pb2.KeyRotationRequested,
            control_pb2.LegalHoldPlaced,
            control_pb2.LegalHoldReleased,
        ],
    ),
    *_kinds("control", ["reconcile"], [control_pb2.ObjectClaimed]),
    *_kinds(
        "apply",
        ["reconcile"],
        [
            apply_pb2.OwnershipTaken,
            apply_pb2.StateLost,
            apply_pb2.RenderFailed,
            apply_pb2.ClaimConflicted,
            apply_pb2.Rendered,
            apply_pb2.SyncStarted,
            apply_pb2.ObjectApplied,
            apply_pb2.SyncFinished,
            apply_pb2.HealthChanged,
            apply_pb2.HealthAssessed,
        ],
    ),
    *_kinds("drift", ["reconcile"], [drift_pb2.DriftOwnershipTaken, drift_pb2.DriftObserved, drift_pb2.Compared]),
    *_kinds("live", ["reconcile"], [live_pb2.ObjectChanged, live_pb2.ObjectDeleted], Identity.DERIVED),
    *_kinds("live", ["reconcile"], [live_pb2.LiveOwnershipTaken, live_pb2.WatchGap]),
    *_kinds("access", ["ingest", "audit"], [access_pb2.AccessDenied]),
    *_kinds("access", ["audit"], [access_pb2.LoginFailed, access_pb2.TrailExported]),
)

_BY_TYPE: Mapping[str, Kind] = {kind.ce_type: kind for kind in KINDS}


def by_type(ce_type: str) -> Kind:
    """Return the kind registered under a `ce_type`. Raises UnknownType."""
    try:
        return _BY_TYPE[ce_type]
    except KeyError:
        raise UnknownType(f"{ce_type} is not a type of event that this version knows") from None


def kind_of(message: Message) -> Kind:
    """Return the kind of a message. Raises UnknownType for a message that is no event."""
    return by_type(TYPE_PREFIX + message.DESCRIPTOR.name)


def decode(ce_type: str, data: bytes) -> Message:
    """Parse the value of an event. Raises UnknownType or Malformed."""
    message = by_type(ce_type).message()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise Malformed(f"{len(data)} bytes are no {ce_type}: {error}") from error
    return message


def encode(message: Message) -> bytes:
    """Serialise a message deterministically: equal messages of one version give equal bytes."""
    return message.SerializeToString(deterministic=True)
