"""What reconcile knows of an application: what its state topic keeps, and what can be asked of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from decklog.events.v1 import apply_pb2, fleet_pb2, state_pb2, subject_pb2
from decklog.model import declaration, objects
from services.reconcile.core import claims, compare, health, spelling, sync, tally

AILING = (apply_pb2.HEALTH_PROGRESSING, apply_pb2.HEALTH_DEGRADED, apply_pb2.HEALTH_MISSING)
"""An object that is one of these is waited for, from a moment on."""
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Recollection:
    """What is known. The messages in it are never changed, only replaced.

    Attributes:
        header: of the application as a whole.
        records: of each object that it has, had, or has something to say about.
    """

    header: state_pb2.ApplicationState = field(default_factory=state_pb2.ApplicationState)
    records: Mapping[objects.ObjectKey, state_pb2.ObjectState] = field(default_factory=dict)

    def inventory(self) -> frozenset[objects.ObjectKey]:
        """The keys of the objects that the application has put there and that still are."""
        return frozenset(key for key, one in self.records.items() if one.managed)

    def seen(self) -> frozenset[objects.ObjectKey]:
        """The keys of the objects that were there when they were looked at last."""
        return frozenset(key for key, one in self.records.items() if one.live_digest)

    def held(self) -> frozenset[objects.ObjectKey]:
        """The keys of the objects that stay although they are not wanted, until somebody asks for their prune."""
        return frozenset(key for key, one in self.records.items() if one.held_back)

    def left(self) -> frozenset[objects.Gvk]:
        """The kinds of the objects that stayed when the application was removed before."""
        return frozenset(objects.Gvk(one.group, one.version, one.kind) for one in self.header.left)

    def of(self, key: objects.ObjectKey) -> state_pb2.ObjectState:
        """What is known of an object: an empty record if nothing is."""
        return self.records.get(key) or state_pb2.ObjectState()

    def heals(self, keys: Iterable[objects.ObjectKey]) -> tuple[sync.Heal, ...]:
        """The last heals of objects; one that was never healed counts as healed long ago."""
        records = map(self.of, keys)
        return tuple(sync.Heal(one.heals, one.healed_us / _SECOND) for one in records)

    def told(self) -> tally.Tally | None:
        """What was told last of the application as a whole."""
        if not self.header.HasField("compared"):
            return None
        last = self.header.compared
        return tally.Tally(
            commit=last.revision.commit,
            desired_digest=last.desired_digest,
            settings_digest=last.settings_digest,
            counts={verdict: getattr(last, verdict.value) for verdict in compare.Verdict},
        )

    def claims(self) -> tuple[claims.Told, ...]:
        """The objects of others that it claims, as it told last."""
        return tuple(claims.Told(key, one.claimed_by) for key, one in self.records.items() if one.claimed_by)

    def wait(self, key: objects.ObjectKey, *, now_us: int) -> health.Wait | None:
        """From when on it is waited for an object that is not healthy now; None without a sync, or if nobody knows.

        While the application's health was unknown, nobody saw whether the object's came back. An object of which the
        moment was not kept is ailing for longer than all of which it was.
        """
        whole, one = self.header.health, self.of(key).health
        if not self.header.synced_us or (whole.health in AILING and not whole.since_us):
            return None
        lost = max(state.since_us if state.health in AILING else now_us for state in (whole, one))
        written = self.header.written_us
        return health.Wait(written, synced=True) if written > lost else health.Wait(lost)

    def newest_drift(self, keys: Iterable[objects.ObjectKey]) -> str:
        """Id of the newest event that told how one of these objects differs: ids begin with their time."""
        return max((self.of(key).drift_id for key in keys), default="")

    def attempt(self) -> sync.Attempt | None:
        """The last sync that ended."""
        if not self.header.HasField("attempt"):
            return None
        last = self.header.attempt
        return sync.Attempt(
            desired_digest=last.desired_digest,
            settings_digest=last.settings_digest,
            outcome=spelling.OUTCOMES[last.outcome],
            failures=last.failures,
            transient=last.transient,
            heals=last.heals,
            finished_at=last.finished_us / _SECOND,
        )


def as_rendered(known: Recollection) -> Recollection:
    """What is known where announcements may be lost: what was rendered was announced before."""
    available, rendered = known.header.available, known.header.rendered.revision
    place = (rendered.source, rendered.ref)
    if not rendered.commit or (
        available.revision.commit and (available.revision.source, available.revision.ref) != place
    ):
        return known
    header = copied(known.header)
    header.available.application.CopyFrom(header.application)
    header.available.revision.CopyFrom(rendered)
    return Recollection(header, known.records)


def as_compared(known: Recollection) -> Recollection:
    """What is known where the declaration is lost under which the last sync ran: it is that of the last comparison."""
    header = known.header
    nowhere = declaration.settings_digest(fleet_pb2.ApplicationSpec())
    if not (header.HasField("attempt") and header.HasField("compared")) or header.attempt.settings_digest != nowhere:
        return known
    header = copied(header)
    header.attempt.settings_digest = header.compared.settings_digest
    return Recollection(header, known.records)


def copied(header: state_pb2.ApplicationState) -> state_pb2.ApplicationState:
    """A header that may be changed."""
    copy = state_pb2.ApplicationState()
    copy.CopyFrom(header)
    return copy


def key_of(ref: subject_pb2.ObjectRef) -> objects.ObjectKey:
    """The key of an object that an event names."""
    return objects.ObjectKey(ref.group, ref.kind, ref.namespace, ref.name)


def claim_key(one: state_pb2.ObjectClaim) -> tuple[objects.ObjectKey, str]:
    """What a claim is known by: the object, and who wants it."""
    return key_of(one.object), one.claimed_by
