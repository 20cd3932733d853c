"""SQL of the API: named, commented; columns come from the row classes, so an answer's fields are a row's fields."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from decklog.model import evidence
from services.audit.core import rows


def columns(row: type[rows.Row], *, without: Iterable[str] = ()) -> str:
    """The columns of a row class for an answer: ranks are how folds compare, and no one else's business."""
    left_out = set(without)
    names = (field.name for field in fields(row) if field.name not in left_out and not field.name.endswith("_rank"))
    return ", ".join(f'"{name}"' for name in names)


_APPLICATION = columns(rows.Application, without=["sync_status"])
_MOMENT = columns(rows.Moment)
_EPISODE = columns(rows.DriftEpisode)

# With what the public view makes of it: what keeps it from getting further, and that nobody knows then what is in sync.
_DECLARED_APPLICATION = f"""
SELECT {_APPLICATION}, standing AS sync_status, source_failure, cluster_failure FROM audit.application
JOIN (
    SELECT name AS named, sync_status AS standing, source_failure, cluster_failure FROM audit.applications
) v ON v.named = name
"""  # noqa: S608

APPLICATIONS = f"{_DECLARED_APPLICATION} WHERE declared ORDER BY name"

APPLICATION = f"{_DECLARED_APPLICATION} WHERE name = $1 AND declared"

# What needs attention first.
APPLICATION_OBJECTS = f"""
SELECT {columns(rows.ApplicationObject)} FROM audit.application_object
WHERE cluster = $1 AND application = $2
ORDER BY verdict IN ('in_sync', ''), health IN ('healthy', ''), object
"""  # noqa: S608

# Together with the line that tells of the event that led to it. A cause that is no id has none.
_SYNC = f"""
SELECT {columns(rows.Sync)}, cause_leaf, cause_kind, cause_summary FROM audit.sync s
LEFT JOIN LATERAL (
    SELECT t.leaf AS cause_leaf, t.kind AS cause_kind, t.summary AS cause_summary
    FROM ledger.dedup d JOIN audit.timeline t ON t.leaf = d.leaf
    WHERE d.id = CASE WHEN s.cause ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$' THEN s.cause::uuid END
    ORDER BY t.leaf LIMIT 1
) c ON true
"""  # noqa: S608

SYNCS = f"{_SYNC} WHERE application = $1 ORDER BY coalesce(started_leaf, finished_leaf) DESC LIMIT $2"

SYNC = f"{_SYNC} WHERE sync_id = $1"

SYNC_OBJECTS = f"SELECT {columns(rows.SyncObject)} FROM audit.sync_object WHERE sync_id = $1 ORDER BY leaf"  # noqa: S608

CLUSTERS = f"SELECT {columns(rows.Cluster)} FROM audit.cluster WHERE declared ORDER BY name"  # noqa: S608

SOURCES = f"SELECT {columns(rows.Source)} FROM audit.source WHERE declared ORDER BY name"  # noqa: S608

REFUSALS = f"SELECT {columns(rows.Refusal)} FROM audit.refusal ORDER BY leaf DESC LIMIT 50"  # noqa: S608

# A newer declaration of an application that does not count.
REFUSAL = f"SELECT {columns(rows.Refusal)} FROM audit.refusal WHERE kind = 'Application' AND name = $1"  # noqa: S608

EPISODE = f"SELECT {_EPISODE} FROM audit.drift_episode WHERE episode = $1"  # noqa: S608

OBSERVATIONS = f"""
SELECT {columns(rows.DriftObservation)} FROM audit.drift_observation WHERE episode = $1 ORDER BY leaf DESC LIMIT 100
"""  # noqa: S608

MOMENTS_AFTER = f"""
SELECT {_MOMENT} FROM audit.timeline WHERE leaf > $1 AND leaf < $2 AND {{conditions}} ORDER BY leaf LIMIT $3
"""  # noqa: S608

STATE = """
SELECT object_group || '/' || kind || '/' || namespace || '/' || name AS object, cluster, application, uid, api_version,
    resource_version, generation, valid_from, observed_us, changed_us, leaf, digest, canonical
FROM audit.state_at($1, $2, $3, $4)
"""

# Applications whose objects nobody watched any more at that moment: their last versions may be long out of date.
UNWATCHED = """
SELECT application, since_us, why FROM (
    SELECT DISTINCT ON (application) application, time_us AS since_us, 'removed' AS why, kind FROM audit.timeline
    WHERE kind IN ('ApplicationDeclared', 'ApplicationRemoved') AND time_us <= $3 AND leaf < $4
        AND ($1::text IS NULL OR cluster = $1) AND ($2::text IS NULL OR application = $2)
    ORDER BY application, leaf DESC
) latest WHERE kind = 'ApplicationRemoved' AND NOT EXISTS (
    -- Who may not remove it ends nothing.
    SELECT FROM audit.application WHERE name = application AND declared AND declared_us <= $3 AND declared_leaf < $4)
UNION ALL
SELECT name, declared_us, 'off' FROM audit.application
WHERE declared AND spec ->> 'mode' = 'off' AND declared_us <= $3 AND declared_leaf < $4
    AND ($1::text IS NULL OR cluster = $1) AND ($2::text IS NULL OR name = $2)
ORDER BY 1
"""

LEAVES_UNTIL = "SELECT audit.leaves_until($1)"

KNOWN_APPLICATION = "SELECT EXISTS (SELECT FROM audit.application WHERE name = $1)"
KNOWN_CLUSTER = "SELECT EXISTS (SELECT FROM audit.cluster WHERE name = $1)"

# Ids are compared as numbers, so that a prefix is a range of the index.
LEAVES_OF_IDS = (
    "SELECT DISTINCT ON (id) id, leaf FROM ledger.dedup WHERE id BETWEEN $1 AND $2 ORDER BY id, leaf LIMIT 2"
)

LEAF_OF_ID = "SELECT min(leaf) FROM ledger.dedup WHERE id = $1"

CAUSE_OF_SYNC = "SELECT cause FROM audit.sync WHERE sync_id = $1"

MOMENT_OF_ID = f"SELECT {_MOMENT} FROM audit.timeline WHERE leaf = (SELECT min(leaf) FROM ledger.dedup WHERE id = $1)"  # noqa: S608

ENTRY = """
SELECT e.leaf, e.receipt, e.hash, e.recorded_at, p.value, p.headers
FROM ledger.entry e LEFT JOIN ledger.payload p USING (leaf) WHERE e.leaf = $1
"""

PAYLOADS = """
SELECT e.receipt, p.salt, p.value, p.headers
FROM ledger.entry e LEFT JOIN ledger.payload p USING (leaf) WHERE e.leaf >= $1 AND e.leaf < $2 ORDER BY e.leaf
"""

# What is said of leaves, with what they commit to; a leaf without a line of the timeline has no kind.
EVIDENCE = f"""
SELECT e.leaf AS number, e.receipt, p.salt, p.value, p.headers, {", ".join(f"t.{name}" for name in evidence.MOMENT)}
FROM ledger.entry e LEFT JOIN ledger.payload p USING (leaf) LEFT JOIN audit.timeline t USING (leaf)
WHERE e.leaf = ANY ($1) ORDER BY e.leaf
"""  # noqa: S608

HEAD_SIZE = "SELECT size FROM ledger.head"

# Of the leaves [$1, $2) with a payload: events of the types $3, what came with the id of an event and other bytes, and
# poison, of which only a person can tell what is in it.
PERSONAL = """
SELECT e.leaf, e.receipt, p.value FROM ledger.entry e JOIN ledger.payload p USING (leaf)
WHERE e.leaf >= $1 AND e.leaf < $2
    AND ((ledger.said(e.receipt) ->> 'kind') = 'poison'
        OR p.value IS NOT NULL AND (ledger.said(e.receipt) #>> '{ce,type}') = ANY ($3::text[])
        AND (ledger.said(e.receipt) ->> 'kind') IN ('event', 'conflict'))
ORDER BY e.leaf
"""

# Every leaf with one of these ids and a payload: events, what came in conflict, poison that claims one. No index knows
# the latter two by id: the fold has noticed them, but for the leaves that it has not reached.
ERASABLE_IDS = """
SELECT e.leaf, e.receipt FROM (
    SELECT leaf FROM ledger.dedup WHERE id = ANY ($1::text[]::uuid[])
    UNION SELECT leaf FROM audit.notice WHERE event_id = ANY ($1::text[]::uuid[])
    UNION SELECT leaf FROM ledger.entry
    WHERE leaf >= (SELECT next_leaf FROM audit.cursor)
        AND ledger.said(receipt) #>> '{ce,id}' = ANY ($1::text[])
) named
JOIN ledger.entry e USING (leaf) JOIN ledger.payload p USING (leaf) ORDER BY e.leaf
"""

# Of any kind; a record without a value has a salt all the same, and maybe headers.
ERASABLE_LEAVES = """
SELECT e.leaf, e.receipt FROM ledger.entry e JOIN ledger.payload p USING (leaf) WHERE e.leaf = ANY ($1) ORDER BY e.leaf
"""

# By which topics leaves came, when the newest was recorded, and whether any is in the dead-letter topic too.
TOPICS_OF_LEAVES = """
SELECT said #>> '{kafka,topic}' AS topic, max(recorded_at) AS newest_us, bool_or(said ->> 'kind' = 'poison') AS poison
FROM unnest($1::bigint[], $2::bigint[]) AS r (first, beyond)
JOIN ledger.entry e ON e.leaf >= r.first AND e.leaf < r.beyond
CROSS JOIN LATERAL (SELECT ledger.said(e.receipt) AS said) s
WHERE said #>> '{kafka,topic}' IS NOT NULL GROUP BY 1
"""

# Legal holds that stand, with the event that placed each.
HOLDS = """
SELECT h.hold, h.leaf, e.receipt, p.value FROM (
    SELECT DISTINCT ON (hold) hold, leaf, placed FROM ledger.legal_hold ORDER BY hold, leaf DESC
) h JOIN ledger.entry e USING (leaf) LEFT JOIN ledger.payload p USING (leaf) WHERE h.placed ORDER BY h.leaf
"""

# What the log says of the keys that sign it.
ROTATIONS = "SELECT leaf, vkey, beside FROM ledger.rotation ORDER BY leaf"

POSITIONS = "SELECT topic, partition, next_offset FROM ledger.position"

RUNGS = """
SELECT h.size, h.recorded_at, c.next_leaf, (SELECT count(*) FROM audit.unplaced) AS unplaced
FROM ledger.head h, audit.cursor c
"""

CHECKPOINTS = """
SELECT k.size, k.note,
    ARRAY(SELECT c.cosigner FROM ledger.cosignature c WHERE c.size = k.size ORDER BY c.cosigner, c.number) AS cosigners,
    ARRAY(SELECT c.line FROM ledger.cosignature c WHERE c.size = k.size ORDER BY c.cosigner, c.number) AS lines
FROM ledger.checkpoint k WHERE k.size > $1 AND k.size <= $2 ORDER BY k.size FETCH FIRST ($3) ROWS WITH TIES
"""

# The newest sizes that anybody cosigned, and by whom, if what is kept is a cosignature.
COSIGNED = """
SELECT size, array_agg(cosigner) AS cosigners FROM ledger.cosignature WHERE size <= $1
GROUP BY size ORDER BY size DESC LIMIT 1000
"""

COSIGNATURES = """
SELECT c.size, c.cosigner, c.line, k.note FROM ledger.cosignature c JOIN ledger.checkpoint k USING (size)
WHERE c.size = $1 ORDER BY c.cosigner, c.number
"""

NOTICE_COUNTS = """
SELECT kind, count(*) AS count, max(leaf) AS last_leaf, max(recorded_us) AS last_us
FROM audit.notice GROUP BY kind ORDER BY kind
"""

ANCHORED = "SELECT max(size) FROM ledger.time_stamp"

TIME_STAMPS = """
SELECT t.size, t.authority, t.token, k.note FROM ledger.time_stamp t JOIN ledger.checkpoint k USING (size)
WHERE t.size > $1 AND t.size <= $2 ORDER BY t.size FETCH FIRST ($3) ROWS WITH TIES
"""

SPEAKERS = f"SELECT {columns(rows.Speaker)} FROM audit.speaker ORDER BY service"  # noqa: S608

COMMITS_LIKE = """
SELECT commit FROM audit.commit WHERE source = $1 AND commit >= $2 AND commit < $2 || 'g' ORDER BY commit LIMIT 2
"""

# The sync that answers a command: the one it caused, else the newest that started after it.
SYNC_AFTER = f"""
SELECT {columns(rows.Sync)} FROM audit.sync
WHERE application = $1 AND NOT dry_run AND (cause = $2 OR ($3::bigint IS NOT NULL AND started_leaf > $3))
ORDER BY cause = $2 DESC, started_leaf DESC LIMIT 1
"""  # noqa: S608

SYNC_CAUSED = f"SELECT {columns(rows.Sync)} FROM audit.sync WHERE cause = $1 ORDER BY started_leaf DESC LIMIT 1"  # noqa: S608


# Of what was seen in a cluster, several field managers may share the newest second.
ACTOR = "(actor = {0} OR (actor LIKE '%, %' AND {0} = ANY(string_to_array(actor, ', '))))"


class Query:
    """A statement put together from fixed parts; values only ever travel as parameters."""

    def __init__(self, head: str, *values: Any) -> None:
        self._head = head
        self._conditions: list[str] = ["true"]
        self.values: list[Any] = list(values)

    def where(self, condition: str, value: Any) -> "Query":
        """Add a condition on one value, written `{}` in it; None adds none."""
        if value is not None:
            self.values.append(value)
            self._conditions.append(condition.format(f"${len(self.values)}"))
        return self

    def text(self, tail: str = "") -> str:
        """The whole statement; `{conditions}` of the head is filled in, or a WHERE added."""
        joined = " AND ".join(self._conditions)
        if "{conditions}" in self._head:
            return self._head.replace("{conditions}", joined)
        return f"{self._head} WHERE {joined} {tail}"


def timeline() -> Query:
    """Lines of the timeline."""
    return Query(f"SELECT {_MOMENT} FROM audit.timeline")  # noqa: S608


def notices() -> Query:
    """Leaves that an operator should hear of."""
    return Query(f"SELECT {columns(rows.Notice)} FROM audit.notice")  # noqa: S608


def episodes() -> Query:
    """Episodes of drift."""
    return Query(f"SELECT {_EPISODE} FROM audit.drift_episode")  # noqa: S608


def moments_after(leaf: int, before: int, limit: int) -> Query:
    """Lines of the timeline between two leaves, oldest first."""
    return Query(MOMENTS_AFTER, leaf, before, limit)
