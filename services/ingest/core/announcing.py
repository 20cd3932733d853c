"""Which applications hear of a revision (DESIGN section 7): all that follow the ref, but those that cannot change."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from decklog.events.v1 import apply_pb2, control_pb2, fleet_pb2, subject_pb2
from services.ingest.core import cursor as cursors


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the last rendering of an application read: path → object id there."""

    revision: subject_pb2.Revision
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Due:
    """An application whose ref is beyond what it was told. `skippable` unless its declaration changed as well."""

    application: str
    spec: fleet_pb2.ApplicationSpec
    head: cursors.Head
    told: cursors.Announced | None
    skippable: bool


def spec_digest(spec: fleet_pb2.ApplicationSpec) -> str:
    """Tells one declaration of an application from another; not kept beyond the life of a wire format."""
    return hashlib.sha256(spec.SerializeToString(deterministic=True)).hexdigest()[:32]


def due(cursor: cursors.Cursor, applications: Iterable[tuple[str, fleet_pb2.ApplicationSpec]]) -> list[Due]:
    """The applications of a source that have something to be told, or at least to be looked at."""
    found = []
    for name, spec in applications:
        head = cursor.heads.get(spec.ref)
        if head is None or not head.commit:
            continue
        told = cursor.announced.get(name)
        declared_anew = (
            told is None
            or (told.cluster, told.ref) != (spec.dest_cluster, spec.ref)
            or told.spec_digest != spec_digest(spec)
        )
        if declared_anew or (told is not None and told.seen < head.sequence):
            found.append(Due(name, spec, head, told, not declared_anew))
    return found


def inputs_to_compare(one: Due, rendering: Rendering | None) -> frozenset[str]:
    """The paths that decide whether a revision may be skipped; none means that it may not.

    Only the rendering of what was told last counts: an older one would not know what reconcile is at.
    """
    if not one.skippable or one.told is None or rendering is None or not rendering.inputs:
        return frozenset()
    if (rendering.revision.source, rendering.revision.commit) != (one.spec.source, one.told.commit):
        return frozenset()
    if not any(_touch(path, one.spec.path) for path in rendering.inputs):
        return frozenset()  # a rendering of the declaration before this one
    return frozenset(rendering.inputs)


def unchanged(rendering: Rendering, now: Mapping[str, str]) -> bool:
    """Whether everything that was read is still the same; what mattered by its absence has the empty id."""
    return all(now.get(path, "") == object_id for path, object_id in rendering.inputs.items())


def event(source: str, one: Due) -> control_pb2.RevisionAvailable:
    """The event that tells the application."""
    return control_pb2.RevisionAvailable(
        application=subject_pb2.ApplicationRef(cluster=one.spec.dest_cluster, application=one.application),
        revision=subject_pb2.Revision(source=source, ref=one.spec.ref, commit=one.head.commit),
        ref_sequence=one.head.sequence,
        previous=one.head.previous,
        spec_digest=spec_digest(one.spec),
    )


def rendering_of(message: apply_pb2.Rendered) -> Rendering | None:
    """What an event says was read; None for the later parts of a split one, which repeat nothing."""
    if message.part:
        return None
    return Rendering(message.revision, {one.path: one.object_id for one in message.inputs})


def _touch(path: str, folder: str) -> bool:
    """Whether one holds the other, or they are the same."""
    return _within(path, folder) or _within(folder, path)


def _within(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(folder + "/")
