"""After the storm: everything comes together. What still stands apart, in words; empty once all is well."""

from collections.abc import Iterator, Mapping

from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, drift_pb2
from decklog.model import objects
from tests.simulation import history, people
from tests.simulation.promises import late_words
from tests.simulation.world import World


def differences(world: World) -> list[str]:
    """What is not as it should be in the end."""
    return [*_ledger_differences(world), *_cluster_differences(world)]


def _ledger_differences(world: World) -> Iterator[str]:
    """The ledger has come to the end of every topic, and the tables to the end of the ledger."""
    for label in ("fleet", "control", "apply", "drift", "live", "git"):
        for where in world.partitions(label):
            first, end = world.stream.offsets(where)
            position = world.ledger.positions.get(where)
            records = world.stream.log(where)
            reached = position.next_offset if position is not None else 0
            if records and reached <= records[-1].offset:
                yield f"{where.topic}/{where.partition} is sequenced up to {reached} of [{first}, {end})"
    if world.tables.cursor < world.ledger.head.size:
        yield f"the tables stand at leaf {world.tables.cursor} of {world.ledger.head.size}"


def _cluster_differences(world: World) -> Iterator[str]:
    folk = world.people
    told = told_last(tuple(world.entries))
    for application, mode in folk.modes.items():
        if application in folk.retired:
            if folk.retired[application]:
                yield from (f"{key} of a retired application is still there" for key in _mine(world, application))
        elif application in folk.broken:
            yield from _broken_differences(world, application, told)
        else:
            yield from _application_differences(world, application, mode, told)
            yield from _status_differences(world, application)
    yield from _dispute_differences(world)


def _application_differences(
    world: World, application: str, mode: str, told: Mapping[tuple[str, objects.ObjectKey], Message]
) -> Iterator[str]:
    """Every difference is healed, or is told; a difference that is told exists."""
    wanted = {
        people.key_of(application, kind): people.data_of(application, colour)
        for kind, colour in world.people.wanted.get(application, {}).items()
    }
    live = {key: obj.get("data", {}) for key, obj in world.cluster.stored().items() if key in wanted}
    extra = [key for key in _mine(world, application) if key not in wanted]
    heals = mode == "heal" and not any(_holder(world, key, application) for key in wanted)  # a refused sync writes none
    for key in sorted({*wanted, *extra}):
        verdict = _verdict_of(told.get((application, key)))
        if _holder(world, key, application):
            if verdict != drift_pb2.VERDICT_UNKNOWN:
                yield f"{key} belongs to another application, and {application} says verdict {verdict} of it"
        elif key in extra:
            if wanted and verdict != drift_pb2.VERDICT_EXTRA:
                yield f"{key} is extra and neither pruned nor told ({verdict})"
        elif live.get(key) == wanted[key]:
            if verdict not in (None, drift_pb2.VERDICT_IN_SYNC):
                yield f"{key} is as wanted, and the last word on it is verdict {verdict}"
        elif heals:
            yield f"{key} is not healed: {live.get(key)} instead of {wanted[key]}"
        elif verdict not in (drift_pb2.VERDICT_MODIFIED, drift_pb2.VERDICT_MISSING):
            yield f"{key} differs in silence: {live.get(key)} instead of {wanted[key]}, last verdict {verdict}"


def _status_differences(world: World, application: str) -> Iterator[str]:
    """What the tables say of an application is what is so: in sync though nothing was ever written, or not."""
    wanted = world.people.wanted.get(application, {})
    if not wanted:
        return  # Git has no such folder any more: it cannot be rendered, and the tables say unknown, rightly
    live = world.cluster.stored()
    equal = all(
        live.get(people.key_of(application, kind), {}).get("data") == people.data_of(application, colour)
        for kind, colour in wanted.items()
    )
    extra = set(_mine(world, application)) - {people.key_of(application, kind) for kind in wanted}
    row = world.tables.by_name().get("application", {}).get((application,))
    shown = row.sync_status if row is not None else "nothing"
    expected = "in_sync" if equal and not extra else "drifted"
    if any(_holder(world, people.key_of(application, kind), application) for kind in wanted):
        expected = "unknown"
    if shown != expected:
        yield f"{application} is {expected}, and the tables say {shown}"


Dispute = tuple[str, str, objects.ObjectKey]
"""Who wants the object, whose mark it bears, and which it is."""


def _dispute_differences(world: World) -> Iterator[str]:
    """Both report what both claim, and nothing else. One whose newest commit is broken may still claim by an older."""
    folk = world.people
    sound = [name for name in folk.modes if name not in folk.retired and name not in folk.broken]
    standing = {
        (name, holder, key)
        for name in sound
        for key in (people.key_of(name, kind) for kind in folk.wanted.get(name, {}))
        if (holder := _holder(world, key, name))
    }
    by_claimants, by_holders = _disputes_told(tuple(world.entries))
    for who, told in (("claims", by_claimants), ("holds", by_holders)):
        heard = {one for one in told if one[0] in sound and one[1] not in folk.retired}
        yield from (f"who {who} does not tell of {one}" for one in sorted(standing - heard))
        yield from (f"who {who} still tells of {one}" for one in sorted(heard - standing))


def _disputes_told(entries: tuple[history.Entry, ...]) -> tuple[set[Dispute], set[Dispute]]:
    """The claims that stand by the words of those who claim, and by those of who holds the object."""
    claimed: set[Dispute] = set()
    held: set[Dispute] = set()
    for entry in late_words.sort(entries).counted:
        said = entry.message
        if not isinstance(said, apply_pb2.ClaimConflicted):
            continue
        ref, teller = said.object, said.application.application
        key = objects.ObjectKey(ref.group, ref.kind, ref.namespace, ref.name)
        one = (said.claimed_by, teller, key) if said.holds else (teller, said.claimed_by, key)
        of = held if said.holds else claimed
        of.discard(one) if said.settled else of.add(one)
    return claimed, held


def _holder(world: World, key: objects.ObjectKey, application: str) -> str:
    """The other declared application whose mark the object bears; empty if there is none."""
    live = world.cluster.stored().get(key)
    mark = objects.tracking(live) if live is not None else None
    if mark is None or mark.application == application or mark.application in world.people.retired:
        return ""
    return mark.application


def _broken_differences(
    world: World, application: str, told: Mapping[tuple[str, objects.ObjectKey], Message]
) -> Iterator[str]:
    """A commit that cannot be applied is told as a failure, and nothing was written for it.

    What the API server refuses to create is unknown, not missing, once it was tried.
    """
    key = people.key_of(application, "broken")
    if key in world.cluster.stored():
        yield f"the broken object of {application} was written"
    refused = world.people.broken[application] == "refused" and world.people.modes[application] != "detect"
    verdict = _verdict_of(told.get((application, key)))
    if refused and verdict != drift_pb2.VERDICT_UNKNOWN:
        yield f"the object of {application} that is refused has verdict {verdict}"
    if world.people.broken[application] == "unreadable" and not any(
        isinstance(entry, history.Stored)
        and isinstance(entry.message, apply_pb2.RenderFailed)
        and entry.message.application.application == application
        for entry in world.entries
    ):
        yield f"no RenderFailed of {application} was told"


def told_last(entries: tuple[history.Entry, ...]) -> dict[tuple[str, objects.ObjectKey], Message]:
    """The last word that counts on each object: by (application, key) the newest DriftObserved."""
    last: dict[tuple[str, objects.ObjectKey], Message] = {}
    for entry in late_words.sort(entries).counted:
        if isinstance(entry.message, drift_pb2.DriftObserved):
            ref = entry.message.object
            key = objects.ObjectKey(ref.group, ref.kind, ref.namespace, ref.name)
            last[entry.message.application.application, key] = entry.message
    return last


def _verdict_of(message: Message | None) -> int | None:
    return message.verdict if isinstance(message, drift_pb2.DriftObserved) else None


def _mine(world: World, application: str) -> list[objects.ObjectKey]:
    """The objects that carry the application's mark."""
    marks = {key: objects.tracking(obj) for key, obj in world.cluster.stored().items()}
    return [key for key, mark in marks.items() if mark is not None and mark.application == application]
