"""The rows of the projections: one frozen class per table of schema `audit`, and what identifies a row in it.

Times are integer microseconds since the epoch; documents are JSON values that Postgres keeps as `jsonb`. Field order is
column order. A row class says in `KEY` which fields identify it, in `KEPT` whether the first row of a key stays for
ever (facts that are appended) or the newest replaces it (folds of what happened so far), and in `GROUP` how many
leading fields of the key name the group of rows that folds look at together.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from services.audit.core.rows.drift import DriftEpisode, DriftObservation
from services.audit.core.rows.fleet import Application, ApplicationObject, Cluster, ClusterIdentity, Rendering
from services.audit.core.rows.git import Commit, RefMove, Source
from services.audit.core.rows.live import Body, LiveObject, ObjectVersion, WatchGap
from services.audit.core.rows.record import Access, Moment, Notice, Ownership, Refusal, Speaker, Unplaced
from services.audit.core.rows.row import Effect, Gone, Json, Key, Row
from services.audit.core.rows.syncs import Sync, SyncObject

__all__ = [
    "ALL",
    "COLUMNS",
    "VALUES",
    "Access",
    "Application",
    "ApplicationObject",
    "Body",
    "Cluster",
    "ClusterIdentity",
    "Commit",
    "DriftEpisode",
    "DriftObservation",
    "Effect",
    "Gone",
    "Json",
    "Key",
    "LiveObject",
    "Moment",
    "Notice",
    "ObjectVersion",
    "Ownership",
    "RefMove",
    "Refusal",
    "Rendering",
    "Row",
    "Source",
    "Speaker",
    "Sync",
    "SyncObject",
    "Unplaced",
    "WatchGap",
    "replace",
]

R = TypeVar("R", bound=Row)

ALL: tuple[type[Row], ...] = (
    Commit,
    RefMove,
    Source,
    Cluster,
    ClusterIdentity,
    Application,
    ApplicationObject,
    Rendering,
    Sync,
    SyncObject,
    DriftEpisode,
    DriftObservation,
    LiveObject,
    ObjectVersion,
    Body,
    WatchGap,
    Refusal,
    Moment,
    Access,
    Speaker,
    Ownership,
    Notice,
    Unplaced,
)


COLUMNS: Mapping[type[Row], tuple[str, ...]] = {row: tuple(field.name for field in fields(row)) for row in ALL}

VALUES: Mapping[type[Row], Callable[[Row], tuple[Any, ...]]] = {
    row: operator.attrgetter(*columns) for row, columns in COLUMNS.items()
}
"""The values of a row, in the order of its columns."""


def replace(row: R, **changes: Any) -> R:
    """A row like this one but for some fields, as `dataclasses.replace` and several times as fast."""
    kind = type(row)
    values = dict(zip(COLUMNS[kind], VALUES[kind](row), strict=True))
    values.update(changes)
    return kind(**values)
