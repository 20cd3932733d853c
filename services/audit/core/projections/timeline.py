"""The timeline: one line per event of interest, and per leaf that tells of trouble with the record itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, control_pb2, drift_pb2, git_pb2, live_pb2
from decklog.model import events
from services.audit.core import orders, rows, summaries, wording
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.view import AnyNeed, View

LONGEST_NAME = 200

SEEN = frozenset({"ObjectChanged", "DriftObserved"})
"""Kinds of what is seen in a cluster, of which nobody says who did it."""

TROUBLE = {
    "conflict": ("error", "The same event came again with other bytes; leaf {leaf} is the first"),
    "poison": ("error", "A record of {log} is no event: {reason}"),
    "gap": ("warning", "Records of {log} from {from} on will never be read: {reason}"),
    "erasure": ("notice", "Payloads were erased: {reason}"),
    "rotation": ("notice", "The log is signed with {vkey} alone from here on"),
}
"""`duplicate` leaves are left out: Kafka delivered again what stands already, and nothing is wrong."""

OVERLAP = "The log is signed with {vkey} from here on, beside {beside}"
"""Of a `rotation` that does not retire the key before it yet."""


_PLUMBING = (
    apply_pb2.OwnershipTaken,
    drift_pb2.DriftOwnershipTaken,
    live_pb2.LiveOwnershipTaken,
    control_pb2.ObjectClaimed,
)


def needs(leaf: Leaf) -> Iterable[AnyNeed]:  # noqa: ARG001 (every projection has the same shape)
    """Nothing: each line stands alone."""
    return []


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:  # noqa: ARG001
    """The line, if there is one to write."""
    if leaf.message is not None:
        if _of_interest(leaf.message):
            yield _moment(leaf, leaf.message, _FORMS[type(leaf.message)])
    elif leaf.disregarded is not None:
        if _of_interest(leaf.disregarded):
            yield _late(_moment(leaf, leaf.disregarded, _FORMS[type(leaf.disregarded)]))
    elif leaf.erased:
        text = f"{leaf.type.rpartition('.')[2]} (its payload was erased)"
        yield _plain(leaf, "Erased", "info", text, time_us=leaf.time_us or leaf.recorded_us)
    elif leaf.kind in TROUBLE:
        level, text = TROUBLE[leaf.kind]
        if leaf.kind == "rotation" and "beside" in (leaf.about or {}):
            text = OVERLAP
        said = text.format_map(_Said(leaf.about or {}, log=leaf.log))
        # What no event says happened when it was recorded: whoever makes one up would choose when it is looked for.
        yield _plain(leaf, leaf.kind.capitalize(), level, said, time_us=leaf.recorded_us)


class _Said(dict[str, Any]):
    """What a receipt says; a word it lacks stays visible as a gap, and never raises."""

    def __missing__(self, key: str) -> str:
        return f"({key} unknown)"


def _of_interest(message: Message) -> bool:
    """What members say to one another is plumbing; the parts of a rendering after the first repeat it."""
    if isinstance(message, _PLUMBING):
        return False
    return not (isinstance(message, apply_pb2.Rendered) and message.part > 0)


@dataclass(frozen=True, slots=True)
class _Form:
    """What can be asked of the messages of a type, found out once: descriptors are slow to ask."""

    name: str
    scoped: bool
    """Said under the key `cluster/application`."""
    fields: frozenset[str]


def _form_of(message: type[Message]) -> _Form:
    found = message.DESCRIPTOR
    topic = found.file.name.rpartition("/")[2].removesuffix(".proto")
    about_the_ledger = message in orders.KINDS
    return _Form(
        found.name,
        not about_the_ledger and topic in ("control", "apply", "drift", "live"),
        frozenset(found.fields_by_name),
    )


_FORMS = {kind.message: _form_of(kind.message) for kind in events.KINDS}


def _moment(leaf: Leaf, message: Message, form: _Form) -> rows.Moment:
    cluster, application = _application(leaf, message, form)
    return rows.Moment(
        leaf=leaf.index,
        recorded_us=leaf.recorded_us,
        time_us=leaf.time_us,
        kind=form.name,
        level=summaries.level(message),
        cluster=cluster[:LONGEST_NAME],
        application=application[:LONGEST_NAME],
        object=_object(message, form),
        source=_source(message, form)[:LONGEST_NAME],
        actor=_actor(message, form)[:LONGEST_NAME],
        summary=summaries.line(message),
        event_id=leaf.event_id,
    )


def _late(line: rows.Moment) -> rows.Moment:
    """The line of an event that counts for nothing; what it tells of may have happened all the same."""
    summary = f"Disregarded, its member had been replaced: {line.kind}: {line.summary}"
    actor = "" if line.kind in SEEN else line.actor
    return replace(line, kind="Late", level="warning", actor=actor, summary=summary[: summaries.LONGEST])


def _plain(leaf: Leaf, kind: str, level: str, summary: str, *, time_us: int) -> rows.Moment:
    return rows.Moment(
        leaf=leaf.index,
        recorded_us=leaf.recorded_us,
        time_us=time_us,
        kind=kind,
        level=level,
        summary=summary[: summaries.LONGEST],
        event_id=leaf.event_id or None,
    )


def _application(leaf: Leaf, message: Message, form: _Form) -> tuple[str, str]:
    """(cluster, application) that the event is about, both empty where it is about none."""
    name = form.name
    if name in ("ApplicationDeclared", "ApplicationRemoved"):
        spec = message.after if name == "ApplicationDeclared" else message.before  # type: ignore[attr-defined]
        return spec.dest_cluster, message.name  # type: ignore[attr-defined]
    if name == "DeclarationRefused" and message.kind == "Application":  # type: ignore[attr-defined]
        return "", message.name  # type: ignore[attr-defined]
    return leaf.scope if form.scoped else ("", "")


def _object(message: Message, form: _Form) -> str:
    if "object" not in form.fields or not message.HasField("object"):
        return ""
    return wording.object_name(message.object)[: 4 * LONGEST_NAME]  # type: ignore[attr-defined]


def _source(message: Message, form: _Form) -> str:
    if "source" in form.fields:
        return str(message.source)  # type: ignore[attr-defined]
    if "revision" in form.fields:
        return str(message.revision.source)  # type: ignore[attr-defined]
    return str(message.name) if form.name.startswith("Source") else ""  # type: ignore[attr-defined]


def _actor(message: Message, form: _Form) -> str:
    """Who did it: the principal; for a commit its author's name.

    For what was seen in a cluster (`SEEN`) its last field managers, by name. The API server remembers who wrote last,
    in whole seconds and for the `scale` subresource not at all: several may have been the last, and none of them need
    have done what is told.
    """
    if isinstance(message, git_pb2.CommitObserved):
        return message.author.name
    if "actor" in form.fields:
        return str(message.actor.id)  # type: ignore[attr-defined]
    managers = message.managers if "managers" in form.fields else ()  # type: ignore[attr-defined]
    # A status is no part of what is told; its writer is named where there is nobody else.
    writers = [one for one in managers if one.subresource != "status"] or managers
    newest = max((one.time_us for one in writers), default=0)
    return ", ".join(sorted({one.manager for one in writers if one.time_us in (0, newest)}))


PROJECTION = Projection("timeline", needs, fold)
