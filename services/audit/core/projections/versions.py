"""Versions of live objects: the points that the state at any time is read from (DESIGN section 6).

`valid_from` is when a version was observed, kept strictly increasing in the order of resourceVersion, so that skewed
clocks cannot reorder history. A version that arrives late, after a higher one, begins no later than that one. The raw
times stay beside it.
"""

import functools
import hashlib
from collections.abc import Iterable, Iterator, Sequence

from decklog.events.v1 import live_pb2
from services.audit.core import rows, wording
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.view import AnyNeed, Unplaceable, VersionNeed, View

Versioned = live_pb2.ObjectChanged | live_pb2.ObjectDeleted


@functools.lru_cache(maxsize=8_192)
def object_id(cluster_uid: str, key: str) -> str:
    """The id (a UUID's text) of an object's name in one cluster: a hash, so that every fold gives the same."""
    name = hashlib.sha256(b"decklog.dev/object/v1\0" + cluster_uid.encode() + b"\0" + key.encode()).hexdigest()
    return f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:32]}"


def resource_version(text: str) -> int:
    """A resourceVersion as the number it is with every API server that stores in etcd. Raises Unplaceable."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Unplaceable(f"resourceVersion {text[:40]!r} is not a number, so its place in history cannot be told")
    return int(text)


def valid_from(known: Sequence[rows.ObjectVersion], version: int, observed_us: int) -> int:
    """From when a version holds, given those on both sides of it."""
    before = max((one for one in known if one.resource_version <= version), key=_order, default=None)
    after = min((one for one in known if one.resource_version > version), key=_order, default=None)
    earliest = observed_us if before is None else max(observed_us, before.valid_from + 1)
    return earliest if after is None else min(earliest, after.valid_from)


def needs(leaf: Leaf) -> Iterable[AnyNeed]:
    """The neighbours of the version."""
    match leaf.message:
        case live_pb2.ObjectChanged() | live_pb2.ObjectDeleted() as message:
            return [VersionNeed(_id(message), resource_version(message.resource_version))]
        case _:
            return []


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:
    """One point per version, the object's name once, its body once per digest; gaps as they are told."""
    match leaf.message:
        case live_pb2.ObjectChanged() as message:
            yield _object(leaf, message)
            yield rows.Body(digest=message.digest, canonical=message.body, first_leaf=leaf.index)
            yield _changed(view, leaf, message)
        case live_pb2.ObjectDeleted() as message:
            yield _object(leaf, message)
            yield _deleted(view, leaf, message)
        case live_pb2.WatchGap() as message:
            yield _gap(leaf, message)


def _order(version: rows.ObjectVersion) -> tuple[int, int]:
    return version.resource_version, version.leaf


def _id(message: Versioned) -> str:
    return object_id(message.cluster_uid, wording.object_name(message.object))


def _object(leaf: Leaf, message: Versioned) -> rows.LiveObject:
    return rows.LiveObject(
        object_id=_id(message),
        cluster=leaf.scope[0],
        cluster_uid=message.cluster_uid,
        object_group=message.object.group,
        kind=message.object.kind,
        namespace=message.object.namespace,
        name=message.object.name,
        first_leaf=leaf.index,
    )


def _from(view: View, leaf: Leaf, message: Versioned) -> int:
    known = view.group(rows.ObjectVersion, _id(message))
    return valid_from(known, resource_version(message.resource_version), leaf.time_us)


def _changed(view: View, leaf: Leaf, message: live_pb2.ObjectChanged) -> rows.ObjectVersion:
    said = message.object
    return rows.ObjectVersion(
        object_id=_id(message),
        resource_version=resource_version(message.resource_version),
        leaf=leaf.index,
        valid_from=_from(view, leaf, message),
        observed_us=leaf.time_us,
        changed_us=message.changed_us,
        recorded_us=leaf.recorded_us,
        cluster=leaf.scope[0],
        application=message.tracked_application or leaf.scope[1],
        uid=said.uid,
        api_version=f"{said.group}/{said.version}" if said.group else said.version,
        generation=message.generation,
        digest=message.digest,
        managers=wording.managers(message.managers),
    )


def _deleted(view: View, leaf: Leaf, message: live_pb2.ObjectDeleted) -> rows.ObjectVersion:
    return rows.ObjectVersion(
        object_id=_id(message),
        resource_version=resource_version(message.resource_version),
        leaf=leaf.index,
        valid_from=_from(view, leaf, message),
        observed_us=leaf.time_us,
        changed_us=message.changed_us,
        recorded_us=leaf.recorded_us,
        cluster=leaf.scope[0],
        application=message.tracked_application or leaf.scope[1],
        uid=message.object.uid,
        gone=True,
        inferred=message.inferred,
    )


def _gap(leaf: Leaf, message: live_pb2.WatchGap) -> rows.WatchGap:
    return rows.WatchGap(
        leaf=leaf.index,
        recorded_us=leaf.recorded_us,
        time_us=leaf.time_us,
        cluster=message.cluster,
        cluster_uid=message.cluster_uid,
        object_group=message.group,
        kind=message.kind,
        namespace=message.namespace,
        from_version=message.from_resource_version,
        to_version=message.to_resource_version,
        reason=message.reason,
    )


MESSAGES = frozenset({live_pb2.ObjectChanged, live_pb2.ObjectDeleted, live_pb2.WatchGap})
PROJECTION = Projection("object_version", needs, fold, MESSAGES)
