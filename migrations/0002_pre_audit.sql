-- The read side (DESIGN sections 5 and 6): what the folds of services/audit/core/projections make of the ledger.
-- One table per row class of services/audit/core/rows.py, columns in the order of its fields; the folds are the only writer.
-- Everything here can be made again from leaf 0: `decklog admin rebuild`.
-- Times are integer microseconds since the epoch (`*_us`): commit dates are anyone's choice and exceed timestamptz.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA audit;
-- Where a rebuild makes the tables anew, and where the old ones go when the new ones take their place.
CREATE SCHEMA audit_rebuild;
CREATE SCHEMA audit_retired;

-- How far the folds are: every leaf below `next_leaf` is folded. One row; the fence between two projectors.
CREATE TABLE audit.cursor (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    next_leaf bigint NOT NULL CHECK (next_leaf >= 0)
);
INSERT INTO audit.cursor (next_leaf) VALUES (0);

CREATE TABLE audit.commit (
    source text NOT NULL,
    commit text NOT NULL,
    leaf bigint NOT NULL,
    recorded_us bigint NOT NULL,
    tree text NOT NULL,
    parents text[] NOT NULL,
    author_name text NOT NULL,
    author_email text NOT NULL,
    authored_us bigint NOT NULL,
    committer_name text NOT NULL,
    committer_email text NOT NULL,
    committed_us bigint NOT NULL,
    message text NOT NULL,
    signed boolean NOT NULL,
    trailers jsonb,
    changes jsonb,
    changes_total bigint NOT NULL,
    PRIMARY KEY (source, commit)
);

CREATE TABLE audit.ref_move (
    leaf bigint PRIMARY KEY,
    recorded_us bigint NOT NULL,
    time_us bigint NOT NULL,
    source text NOT NULL,
    ref text NOT NULL,
    old text NOT NULL,
    new text NOT NULL,
    forced boolean NOT NULL,
    deleted boolean NOT NULL,
    sequence bigint NOT NULL,
    new_commits bigint NOT NULL
);
CREATE INDEX ref_move_source ON audit.ref_move (source, leaf);

CREATE TABLE audit.source (
    name text PRIMARY KEY,
    declared boolean,
    spec jsonb,
    origin jsonb,
    actor text NOT NULL,
    reason text NOT NULL,
    declared_leaf bigint,
    declared_us bigint,
    failure jsonb,
    failed_us bigint,
    attempts bigint NOT NULL,
    moved_us bigint,
    updated_leaf bigint NOT NULL
);

CREATE TABLE audit.cluster (
    name text PRIMARY KEY,
    declared boolean,
    spec jsonb,
    origin jsonb,
    actor text NOT NULL,
    reason text NOT NULL,
    declared_leaf bigint,
    declared_us bigint,
    confirmed_uid text NOT NULL,
    seen_uid text NOT NULL,
    updated_leaf bigint NOT NULL
);

CREATE TABLE audit.cluster_identity (
    leaf bigint PRIMARY KEY,
    recorded_us bigint NOT NULL,
    cluster text NOT NULL,
    uid text NOT NULL,
    from_us bigint NOT NULL
);
CREATE INDEX cluster_identity_cluster ON audit.cluster_identity (cluster, from_us, leaf);

CREATE TABLE audit.application (
    name text PRIMARY KEY,
    cluster text NOT NULL,
    declared boolean,
    spec jsonb,
    origin jsonb,
    actor text NOT NULL,
    reason text NOT NULL,
    declared_leaf bigint,
    declared_us bigint,
    settings_digest text NOT NULL,
    available_commit text NOT NULL,
    available_sequence bigint NOT NULL,
    rendered_commit text NOT NULL,
    rendered_digest text NOT NULL,
    rendered_leaf bigint,
    rendered_rank bigint[] NOT NULL,
    compared_digest text NOT NULL,
    compared_in_sync bigint,
    compared_settings text NOT NULL,
    compared_rank bigint[] NOT NULL,
    objects bigint NOT NULL,
    pending bigint NOT NULL,
    modified bigint NOT NULL,
    missing bigint NOT NULL,
    extra bigint NOT NULL,
    unknown bigint NOT NULL,
    sync_status text NOT NULL,
    synced_commit text NOT NULL,
    synced_us bigint,
    sync_id text NOT NULL,
    sync_outcome text NOT NULL,
    sync_us bigint,
    sync_rank bigint[] NOT NULL,
    health text NOT NULL,
    health_reason text NOT NULL,
    health_message text NOT NULL,
    health_us bigint,
    health_rank bigint[] NOT NULL,
    failures jsonb,
    updated_leaf bigint NOT NULL,
    updated_us bigint NOT NULL
);

CREATE TABLE audit.application_object (
    cluster text NOT NULL,
    application text NOT NULL,
    object text NOT NULL,
    desired_digest text NOT NULL,
    file text NOT NULL,
    line bigint NOT NULL,
    live_digest text NOT NULL,
    live_uid text NOT NULL,
    live_cluster text NOT NULL,
    live_version bigint NOT NULL,
    verdict text NOT NULL,
    verdict_rank bigint[] NOT NULL,
    episode text NOT NULL,
    health text NOT NULL,
    health_reason text NOT NULL,
    health_message text NOT NULL,
    health_rank bigint[] NOT NULL,
    outcome text NOT NULL,
    sync_id text NOT NULL,
    failure jsonb,
    updated_leaf bigint NOT NULL,
    updated_us bigint NOT NULL,
    PRIMARY KEY (cluster, application, object)
);

CREATE TABLE audit.rendering (
    leaf bigint PRIMARY KEY,
    recorded_us bigint NOT NULL,
    time_us bigint NOT NULL,
    cluster text NOT NULL,
    application text NOT NULL,
    source text NOT NULL,
    ref text NOT NULL,
    commit text NOT NULL,
    renderer text NOT NULL,
    renderer_version text NOT NULL,
    digest text NOT NULL,
    objects jsonb,
    warnings jsonb
);
CREATE INDEX rendering_application ON audit.rendering (application, leaf);

CREATE TABLE audit.sync (
    sync_id text PRIMARY KEY,
    cluster text NOT NULL,
    application text NOT NULL,
    trigger text NOT NULL,
    actor text NOT NULL,
    actor_kind text NOT NULL,
    reason text NOT NULL,
    source text NOT NULL,
    ref text NOT NULL,
    commit text NOT NULL,
    desired_digest text NOT NULL,
    attempt bigint NOT NULL,
    dry_run boolean NOT NULL,
    cause text NOT NULL,
    to_apply bigint NOT NULL,
    to_prune bigint NOT NULL,
    started_leaf bigint,
    started_us bigint,
    outcome text NOT NULL,
    finished_leaf bigint,
    finished_us bigint,
    duration_us bigint,
    created bigint NOT NULL,
    configured bigint NOT NULL,
    pruned bigint NOT NULL,
    unchanged bigint NOT NULL,
    skipped bigint NOT NULL,
    failed bigint NOT NULL,
    inventory_digest text NOT NULL,
    failure jsonb
);
CREATE INDEX sync_application ON audit.sync (application, started_leaf);
-- The sync that answers a request: `decklog app sync --wait`.
CREATE INDEX sync_cause ON audit.sync (cause) WHERE cause <> '';

CREATE TABLE audit.sync_object (
    leaf bigint PRIMARY KEY,
    recorded_us bigint NOT NULL,
    time_us bigint NOT NULL,
    sync_id text NOT NULL,
    cluster text NOT NULL,
    application text NOT NULL,
    object text NOT NULL,
    outcome text NOT NULL,
    dry_run boolean NOT NULL,
    before_digest text NOT NULL,
    after_digest text NOT NULL,
    before_version text NOT NULL,
    after_version text NOT NULL,
    overridden jsonb,
    failure jsonb
);
CREATE INDEX sync_object_sync ON audit.sync_object (sync_id, leaf);

CREATE TABLE audit.drift_episode (
    episode text PRIMARY KEY,
    cluster text NOT NULL,
    application text NOT NULL,
    object text NOT NULL,
    verdict text NOT NULL,
    phase text NOT NULL,
    opened_leaf bigint NOT NULL,
    opened_us bigint NOT NULL,
    last_leaf bigint NOT NULL,
    last_us bigint NOT NULL,
    last_rank bigint[] NOT NULL,
    resolved_leaf bigint,
    resolved_us bigint,
    observations bigint NOT NULL,
    source text NOT NULL,
    commit text NOT NULL,
    desired_digest text NOT NULL,
    live_digest text NOT NULL,
    patch jsonb,
    managers jsonb,
    failure jsonb
);
CREATE INDEX drift_episode_application ON audit.drift_episode (application, opened_leaf);
CREATE INDEX drift_episode_opened ON audit.drift_episode (opened_leaf);

CREATE TABLE audit.drift_observation (
    leaf bigint PRIMARY KEY,
    recorded_us bigint NOT NULL,
    time_us bigint NOT NULL,
    episode text NOT NULL,
    cluster text NOT NULL,
    application text NOT NULL,
    object text NOT NULL,
    verdict text NOT NULL,
    phase text NOT NULL,
    source text NOT NULL,
    commit text NOT NULL,
    desired_digest text NOT NULL,
    live_digest text NOT NULL,
    live_version text NOT NULL,
    patch jsonb,
    managers jsonb,
    failure jsonb
);
CREATE INDEX drift_observation_episode ON audit.drift_observation (episode, leaf);

CREATE TABLE audit.live_object (
    object_id uuid PRIMARY KEY,
    cluster text NOT NULL,
    cluster_uid text NOT NULL,
    object_group text NOT NULL,
    kind text NOT NULL,
    namespace text NOT NULL,
    name text NOT NULL,
    first_leaf bigint NOT NULL
);
CREATE INDEX live_object_cluster ON audit.live_object (cluster);

-- Append-only points. State at T as known at K = per object the greatest (valid_from, resource_version, leaf) with
-- valid_from <= T and leaf < K; the index below finds it without a sort.
CREATE TABLE audit.object_version (
    object_id uuid NOT NULL,
    resource_version bigint NOT NULL,
    leaf bigint PRIMARY KEY,
    valid_from bigint NOT NULL,
    observed_us bigint NOT NULL,
    changed_us bigint NOT NULL,
    recorded_us bigint NOT NULL,
    cluster text NOT NULL,
    application text NOT NULL,
    uid text NOT NULL,
    api_version text NOT NULL,
    generation bigint NOT NULL,
    digest text NOT NULL,
    gone boolean NOT NULL,
    inferred boolean NOT NULL,
    managers jsonb
);
CREATE INDEX object_version_time ON audit.object_version (object_id, valid_from DESC, resource_version DESC, leaf DESC);
CREATE INDEX object_version_order ON audit.object_version (object_id, resource_version, leaf);
CREATE INDEX object_version_application ON audit.object_version (application, object_id);

CREATE TABLE audit.body (
    digest text PRIMARY KEY,
    canonical bytea NOT NULL,
    first_leaf bigint NOT NULL
);

CREATE TABLE audit.watch_gap (
    leaf bigint PRIMARY KEY,
    recorded_us bigint NOT NULL,
    time_us bigint NOT NULL,
    cluster text NOT NULL,
    cluster_uid text NOT NULL,
    object_group text NOT NULL,
    kind text NOT NULL,
    namespace text NOT NULL,
    from_version text NOT NULL,
    to_version text NOT NULL,
    reason text NOT NULL
);

CREATE TABLE audit.refusal (
    kind text NOT NULL,
    name text NOT NULL,
    leaf bigint NOT NULL,
    recorded_us bigint NOT NULL,
    origin jsonb,
    actor text NOT NULL,
    failure jsonb,
    PRIMARY KEY (kind, name)
);

CREATE TABLE audit.timeline (
    leaf bigint PRIMARY KEY,
    recorded_us bigint NOT NULL,
    time_us bigint NOT NULL,
    kind text NOT NULL,
    level text NOT NULL,
    cluster text NOT NULL,
    application text NOT NULL,
    object text NOT NULL,
    source text NOT NULL,
    actor text NOT NULL,
    summary text NOT NULL,
    event_id uuid
);
CREATE INDEX timeline_application ON audit.timeline (application, leaf) WHERE application <> '';
CREATE INDEX timeline_object ON audit.timeline (object, leaf) WHERE object <> '';
CREATE INDEX timeline_actor ON audit.timeline (actor, leaf) WHERE actor <> '';
CREATE INDEX timeline_actors ON audit.timeline (leaf) WHERE actor LIKE '%, %';
CREATE INDEX timeline_kind ON audit.timeline (kind, leaf);
CREATE INDEX timeline_cluster ON audit.timeline (cluster, leaf) WHERE cluster <> '';
-- "since" and "until" ask for recorded time, to which leaves map monotonically: audit.leaves_until finds the leaf.

CREATE TABLE audit.access (
    leaf bigint PRIMARY KEY,
    recorded_us bigint NOT NULL,
    time_us bigint NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    service text NOT NULL,
    method text NOT NULL,
    route text NOT NULL,
    reason text NOT NULL,
    peer text NOT NULL,
    count bigint NOT NULL
);

CREATE TABLE audit.speaker (
    service text PRIMARY KEY,
    events bigint NOT NULL,
    last_leaf bigint NOT NULL,
    last_us bigint NOT NULL
);

-- The right that stands in one partition of a topic of reconcile's (`topic/partition`), and since which leaf: what comes
-- under a smaller one was said by a member that had been replaced, and counts for nothing.
CREATE TABLE audit.ownership (
    log text PRIMARY KEY,
    topic_epoch bigint NOT NULL,
    claim_offset bigint NOT NULL,
    leaf bigint NOT NULL,
    time_us bigint NOT NULL
);

-- Leaves that an operator should hear of: conflicts, poison, gaps, wrong partitions, clocks ahead, late words.
CREATE TABLE audit.notice (
    leaf bigint PRIMARY KEY,
    recorded_us bigint NOT NULL,
    kind text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    source text NOT NULL,
    event_id uuid,
    original bigint,
    reason text NOT NULL
);
CREATE INDEX notice_kind ON audit.notice (kind, leaf);

-- What a fold could not place, and why: the ledger holds it all the same. Alerts when it grows.
CREATE TABLE audit.unplaced (
    leaf bigint NOT NULL,
    projection text NOT NULL,
    recorded_us bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (leaf, projection)
);
