"""Leaves for tests of the read side: a message, where it stands in the ledger, and when it was said."""

import uuid
from typing import Any

from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2, live_pb2, subject_pb2
from decklog.model import declaration, events
from services.audit.core import folding, rows
from services.audit.core.leaf import Leaf
from services.audit.core.projections import registry
from services.audit.core.view import Need, VersionNeed, View

CLUSTER_UID = "11111111-0000-0000-0000-000000000001"
SECOND = 1_000_000
START = 1_790_000_000 * SECOND


def leaf(
    index: int, message: Message | None, *, key: str = "dev/shop", time_us: int | None = None, **more: Any
) -> Leaf:
    """An event leaf; recorded one second per leaf after `START`, said then too unless told otherwise."""
    recorded = START + index * SECOND
    told: dict[str, Any] = {
        "kind": "event",
        "event_id": str(uuid.UUID(int=index + 1)),
        "type": events.kind_of(message).ce_type if message is not None else "dev.decklog.v1.CommitObserved",
        "source": "/decklog/i/reconcile/dev",
        "sequence": index,
    }
    return Leaf(
        index=index,
        recorded_us=recorded,
        key=key,
        time_us=recorded if time_us is None else time_us,
        message=message,
        **(told | more),
    )


def application(name: str = "shop") -> subject_pb2.ApplicationRef:
    """An application on cluster `dev`."""
    return subject_pb2.ApplicationRef(cluster="dev", application=name)


def config_map(name: str = "settings", uid: str = "u1") -> subject_pb2.ObjectRef:
    """A ConfigMap of namespace `shop`."""
    return subject_pb2.ObjectRef(version="v1", kind="ConfigMap", namespace="shop", name=name, uid=uid)


def revision(commit: str = "a" * 40) -> subject_pb2.Revision:
    """A revision of `main` of source `infrastructure`."""
    return subject_pb2.Revision(source="infrastructure", ref="refs/heads/main", commit=commit)


def rendered(*objects: tuple[str, str], commit: str = "a" * 40) -> apply_pb2.Rendered:
    """A desired state of ConfigMaps: (name, digest) pairs."""
    return apply_pb2.Rendered(
        application=application(),
        revision=revision(commit),
        renderer="plain",
        parts=1,
        digest=f"j1:{len(objects)}",
        objects=[
            apply_pb2.RenderedObject(object=config_map(name, ""), digest=digest, file=f"{name}.yaml", line=1)
            for name, digest in objects
        ],
    )


def drift(
    phase: drift_pb2.DriftPhase,
    verdict: drift_pb2.Verdict = drift_pb2.VERDICT_MODIFIED,
    *,
    name: str = "settings",
    episode: str = "e1",
    patch: bytes = b'[{"op":"replace","path":"/data/a","value":"1"}]',
    fence: int | None = None,
) -> drift_pb2.DriftObserved:
    """A drift of one ConfigMap. `fence`: the topic epoch of the right under which it is said."""
    return drift_pb2.DriftObserved(
        fence=None if fence is None else subject_pb2.Fence(topic_epoch=max(0, fence)),
        application=application(),
        object=config_map(name),
        verdict=verdict,
        phase=phase,
        episode=episode,
        patch=patch,
        revision=revision(),
        managers=[subject_pb2.FieldManager(manager="kubectl-edit", operation="Update", fields=["/data/a"], time_us=7)],
    )


def compared(*, in_sync: int = 0, digest: str = "j1:1", commit: str = "a" * 40, **others: int) -> drift_pb2.Compared:
    """A comparison of the whole application: `in_sync` objects are equal, and `others` by verdict are not."""
    return drift_pb2.Compared(
        application=application(),
        revision=revision(commit),
        desired_digest=digest,
        settings_digest=declaration.settings_digest(declared().after),
        in_sync=in_sync,
        **others,
    )


def changed(
    version: int, *, name: str = "settings", uid: str = "u1", digest: str | None = None
) -> live_pb2.ObjectChanged:
    """A live version of one ConfigMap."""
    return live_pb2.ObjectChanged(
        cluster_uid=CLUSTER_UID,
        object=config_map(name, uid),
        resource_version=str(version),
        digest=digest or f"j1:{name}:{version}",
        body=b'{"data":{"a":"%d"}}' % version,
        tracked_application="shop",
    )


def deleted(version: int, *, name: str = "settings", uid: str = "u1") -> live_pb2.ObjectDeleted:
    """The end of one ConfigMap."""
    return live_pb2.ObjectDeleted(
        cluster_uid=CLUSTER_UID, object=config_map(name, uid), resource_version=str(version), tracked_application="shop"
    )


def declared(
    name: str = "shop", *, by_git: bool = True, mode: fleet_pb2.Mode = fleet_pb2.MODE_HEAL
) -> fleet_pb2.ApplicationDeclared:
    """An application declared in Git or through the API."""
    git = fleet_pb2.GitOrigin(revision=revision(), file="fleet.yaml", line=3)
    origin = fleet_pb2.Origin(git=git) if by_git else fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id="r1"))
    spec = fleet_pb2.ApplicationSpec(
        source="infrastructure",
        ref="refs/heads/main",
        path="apps",
        dest_cluster="dev",
        dest_namespace="shop",
        mode=mode,
    )
    return fleet_pb2.ApplicationDeclared(name=name, after=spec, origin=origin, actor=subject_pb2.Actor(id="alice"))


class Tables:
    """The tables in memory: what Postgres holds, for folds without it."""

    def __init__(self) -> None:
        self.rows: dict[tuple[type[rows.Row], rows.Key], rows.Row] = {}

    def fold(self, *leaves: Leaf) -> "Tables":
        """Fold one slice, with exactly the rows that it says it needs."""
        needed = folding.needs(registry.ALL, leaves)
        view = View(row for row in self.rows.values() if any(_serves(need, row) for need in needed))
        changes = folding.fold(registry.ALL, view, leaves)
        for gone in changes.gone:
            self.rows.pop((gone.row, gone.key), None)
        for row in changes.put:
            if not (row.KEPT and (type(row), row.key) in self.rows):
                self.rows[type(row), row.key] = row
        return self

    def all(self, row: type[rows.Row]) -> list[Any]:
        """The rows of a table in key order."""
        return [
            found for (kind, _), found in sorted(self.rows.items(), key=lambda item: str(item[0][1])) if kind is row
        ]

    def one(self, row: type[rows.Row]) -> Any:
        """The only row of a table."""
        (found,) = self.all(row)
        return found


def _serves(need: object, row: rows.Row) -> bool:
    if isinstance(need, Need):
        return type(row) is need.row and row.key[: len(need.key)] == need.key
    assert isinstance(need, VersionNeed)
    return isinstance(row, rows.ObjectVersion) and row.object_id == need.object_id
