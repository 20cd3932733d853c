"""Rows of what Git tells."""

from collections.abc import Sequence
from typing import ClassVar

from services.audit.core.rows.row import Json, Row
from services.audit.core.values import value


@value
class Commit(Row):
    """A commit of a followed history, as Git tells it."""

    TABLE: ClassVar[str] = "commit"
    KEY: ClassVar[tuple[str, ...]] = ("source", "commit")
    source: str
    commit: str
    leaf: int
    recorded_us: int
    tree: str
    parents: Sequence[str]
    author_name: str
    author_email: str
    authored_us: int
    committer_name: str
    committer_email: str
    committed_us: int
    message: str
    signed: bool
    trailers: Json
    changes: Json
    changes_total: int


@value
class RefMove(Row):
    """A followed ref pointed elsewhere."""

    TABLE: ClassVar[str] = "ref_move"
    leaf: int
    recorded_us: int
    time_us: int
    source: str
    ref: str
    old: str
    new: str
    forced: bool
    deleted: bool
    sequence: int
    new_commits: int


@value
class Source(Row):
    """A repository that is followed, or was. `declared` is None while only its events are known."""

    TABLE: ClassVar[str] = "source"
    KEY: ClassVar[tuple[str, ...]] = ("name",)
    KEPT: ClassVar[bool] = False
    name: str
    declared: bool | None = None
    spec: Json = None
    origin: Json = None
    actor: str = ""
    reason: str = ""
    declared_leaf: int | None = None
    declared_us: int | None = None
    failure: Json = None
    failed_us: int | None = None
    attempts: int = 0
    moved_us: int | None = None
    updated_leaf: int
