"""Rows of what was seen in clusters."""

from typing import ClassVar

from services.audit.core.rows.row import Json, Row
from services.audit.core.values import value


@value
class LiveObject(Row):
    """An object's name in one cluster, and the id its versions refer to."""

    TABLE: ClassVar[str] = "live_object"
    KEY: ClassVar[tuple[str, ...]] = ("object_id",)
    object_id: str
    cluster: str
    cluster_uid: str
    object_group: str
    kind: str
    namespace: str
    name: str
    first_leaf: int


@value
class ObjectVersion(Row):
    """A point from which an object was so, or gone. See `projections.versions` for `valid_from`."""

    TABLE: ClassVar[str] = "object_version"
    KEY: ClassVar[tuple[str, ...]] = ("object_id", "resource_version", "leaf")
    object_id: str
    resource_version: int
    leaf: int
    valid_from: int
    observed_us: int
    changed_us: int
    recorded_us: int
    cluster: str
    application: str
    uid: str
    api_version: str = ""
    generation: int = 0
    digest: str = ""
    gone: bool = False
    inferred: bool = False
    managers: Json = None


@value
class Body(Row):
    """A masked, normalised object, once per digest; `canonical` is exactly what the digest is of."""

    TABLE: ClassVar[str] = "body"
    KEY: ClassVar[tuple[str, ...]] = ("digest",)
    digest: str
    canonical: bytes
    first_leaf: int


@value
class WatchGap(Row):
    """A time in which versions of a kind may have been missed."""

    TABLE: ClassVar[str] = "watch_gap"
    leaf: int
    recorded_us: int
    time_us: int
    cluster: str
    cluster_uid: str
    object_group: str
    kind: str
    namespace: str
    from_version: str
    to_version: str
    reason: str
