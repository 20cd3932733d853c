-- What auditors query (docs/compliance-queries.md). Names in the plural are public and stay; the tables of the folds are
-- singular and may change with a release.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

-- Microseconds as a timestamptz; times that it cannot hold (a commit may claim any) become its ends.
CREATE FUNCTION audit.instant(us bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN us < -62135596800000000 THEN '-infinity'::timestamptz
        WHEN us >= 253402300800000000 THEN 'infinity'::timestamptz
        ELSE timestamptz '1970-01-01 00:00:00+00' + us * interval '1 microsecond'
    END
$$;

CREATE FUNCTION audit.microseconds(moment timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT (extract(epoch FROM moment) * 1000000)::bigint
$$;

-- The number of leaves recorded up to a moment: recorded times never decrease, so bisection finds it.
CREATE FUNCTION audit.leaves_until(moment_us bigint) RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low bigint := 0;
    high bigint;
    middle bigint;
BEGIN
    SELECT size INTO high FROM ledger.head;
    WHILE low < high LOOP
        middle := (low + high) / 2;
        IF (SELECT recorded_at FROM ledger.entry WHERE leaf = middle) <= moment_us THEN
            low := middle + 1;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END
$$;

-- State at T (`at_us`) as known at K (`before_leaf`): for each object the greatest (valid_from, resource_version, leaf)
-- with valid_from <= T and leaf < K, unless that says it was gone. Of one cluster, one application, or (NULL) all; a
-- cluster's name means whatever it meant at T. Runs as its owner: readers see views, not tables.
CREATE FUNCTION audit.state_at(of_cluster text, of_application text, at_us bigint, before_leaf bigint)
RETURNS TABLE (
    object_group text, kind text, namespace text, name text, cluster text, application text, uid text, api_version text,
    resource_version bigint, generation bigint, valid_from bigint, observed_us bigint, changed_us bigint, leaf bigint,
    digest text, canonical bytea
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH meant AS (
        SELECT DISTINCT ON (i.cluster) i.cluster, i.uid FROM audit.cluster_identity i
        WHERE i.from_us <= at_us AND i.leaf < before_leaf
        ORDER BY i.cluster, i.from_us DESC, i.leaf DESC
    ), candidate AS (
        SELECT o.* FROM audit.live_object o WHERE of_application IS NULL
        UNION ALL
        SELECT o.* FROM audit.live_object o
        WHERE of_application IS NOT NULL
            AND o.object_id IN (SELECT v.object_id FROM audit.object_version v WHERE v.application = of_application)
    )
    SELECT o.object_group, o.kind, o.namespace, o.name, v.cluster, v.application, v.uid, v.api_version,
        v.resource_version, v.generation, v.valid_from, v.observed_us, v.changed_us, v.leaf, v.digest, b.canonical
    FROM candidate o
    LEFT JOIN meant m ON m.cluster = o.cluster
    CROSS JOIN LATERAL (
        SELECT * FROM audit.object_version p
        WHERE p.object_id = o.object_id AND p.valid_from <= at_us AND p.leaf < before_leaf
        ORDER BY p.valid_from DESC, p.resource_version DESC, p.leaf DESC LIMIT 1
    ) v
    LEFT JOIN audit.body b ON b.digest = v.digest
    WHERE NOT v.gone
        AND (of_cluster IS NULL OR o.cluster = of_cluster)
        AND (of_application IS NULL OR v.application = of_application)
        AND o.cluster_uid = coalesce(m.uid, o.cluster_uid)
    ORDER BY o.cluster, o.object_group, o.kind, o.namespace, o.name
$$;

CREATE VIEW audit.commits AS
SELECT source, commit, author_name, author_email, audit.instant(authored_us) AS authored_at, committer_name,
    committer_email, audit.instant(committed_us) AS committed_at, message, signed, parents, trailers, changes,
    changes_total, leaf, audit.instant(recorded_us) AS recorded_at
FROM audit.commit;

CREATE VIEW audit.ref_moves AS
SELECT source, ref, old, new, forced, deleted, sequence, new_commits, audit.instant(time_us) AS moved_at, leaf,
    audit.instant(recorded_us) AS recorded_at
FROM audit.ref_move;

-- Together with what keeps an application from getting further although nothing of its own failed: its source cannot be
-- followed (a ref that is missing concerns those who follow it alone), or what it names is not declared. While it is not
-- known what Git wants, nothing is in sync with it.
CREATE VIEW audit.applications AS
SELECT a.name, a.cluster, a.declared, a.spec, a.origin, a.actor, a.reason,
    audit.instant(a.declared_us) AS declared_at,
    CASE
        WHEN a.sync_status = 'in_sync' AND a.declared AND f.source_failure IS NOT NULL THEN 'unknown'
        ELSE a.sync_status
    END AS sync_status,
    a.health, a.health_message, a.synced_commit, audit.instant(a.synced_us) AS synced_at, a.objects, a.modified,
    a.missing, a.extra, a.unknown, a.failures, f.source_failure,
    CASE
        WHEN NOT EXISTS (SELECT FROM audit.cluster c WHERE c.name = a.cluster AND c.declared)
        THEN jsonb_build_object(
            'reason', 'UnknownCluster',
            'message', format('there is no cluster ''%s''', a.cluster),
            'hint', 'Declare it, or correct the application''s destCluster')
    END AS cluster_failure
FROM audit.application a
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM audit.source s WHERE s.name = a.spec ->> 'source' AND s.declared)
        THEN jsonb_build_object(
            'reason', 'UnknownSource',
            'message', format('there is no source ''%s''', a.spec ->> 'source'),
            'hint', 'Declare it, or correct the application''s source')
        ELSE (
            SELECT s.failure FROM audit.source s WHERE s.name = a.spec ->> 'source'
                AND (s.failure -> 'refs' IS NULL OR s.failure -> 'refs' ? (a.spec ->> 'ref')))
    END AS source_failure
) f;

CREATE VIEW audit.syncs AS
SELECT sync_id, cluster, application, trigger, nullif(cause, '') AS cause, actor, actor_kind, reason, source, ref, commit,
    attempt, dry_run, nullif(outcome, '') AS outcome, audit.instant(started_us) AS started_at,
    audit.instant(finished_us) AS finished_at, duration_us * interval '1 microsecond' AS duration, created, configured, pruned, unchanged, skipped, failed, failure,
    started_leaf, finished_leaf
FROM audit.sync;

-- Every write to a cluster by a sync, with who caused it and from which commit.
CREATE VIEW audit.changes AS
SELECT o.leaf, audit.instant(o.recorded_us) AS recorded_at, audit.instant(o.time_us) AS changed_at, o.cluster,
    o.application, o.object, o.outcome, s.trigger, s.actor, s.actor_kind, s.reason, s.source, s.commit, o.sync_id,
    o.before_digest, o.after_digest, o.overridden, o.failure
FROM audit.sync_object o
LEFT JOIN audit.sync s USING (sync_id)
WHERE NOT o.dry_run;

-- Every time a live object differed from Git, by whom, for how long.
CREATE VIEW audit.drifts AS
SELECT episode, cluster, application, object, verdict, phase, audit.instant(opened_us) AS opened_at,
    audit.instant(resolved_us) AS resolved_at, (resolved_us - opened_us) * interval '1 microsecond' AS lasted,
    observations, source, commit, patch, managers, failure, opened_leaf, resolved_leaf
FROM audit.drift_episode;

-- Every version of every object, and when it held. Temporal queries: `valid @> timestamptz '…'`.
CREATE VIEW audit.object_versions AS
SELECT o.cluster, o.object_group, o.kind, o.namespace, o.name, v.application, v.uid, v.resource_version, v.generation,
    v.gone, v.digest,
    tstzrange(audit.instant(v.valid_from), audit.instant(lead(v.valid_from) OVER newer)) AS valid,
    audit.instant(v.observed_us) AS observed_at, audit.instant(v.changed_us) AS changed_at, v.inferred, v.managers,
    v.leaf, audit.instant(v.recorded_us) AS recorded_at, convert_from(b.canonical, 'UTF8')::jsonb AS body
FROM audit.object_version v
JOIN audit.live_object o USING (object_id)
LEFT JOIN audit.body b ON b.digest = v.digest
WINDOW newer AS (PARTITION BY v.object_id ORDER BY v.valid_from, v.resource_version, v.leaf);

CREATE VIEW audit.refused_requests AS
SELECT kind, actor, service, method, route, reason, peer, count, audit.instant(time_us) AS refused_at, leaf,
    audit.instant(recorded_us) AS recorded_at
FROM audit.access;

-- What came by Kafka and was not as it must be; each is a leaf all the same.
CREATE VIEW audit.notices AS
SELECT kind, reason, topic, partition, record_offset, source, event_id, original, leaf,
    audit.instant(recorded_us) AS recorded_at
FROM audit.notice;

CREATE VIEW audit.moments AS
SELECT leaf, audit.instant(recorded_us) AS recorded_at, audit.instant(time_us) AS happened_at, kind, level, cluster,
    application, object, source, actor, summary, event_id
FROM audit.timeline;

-- Who may do what: the projector owns all of this, so that it can make its tables anew; readers see the views.
REVOKE ALL ON FUNCTION audit.state_at(text, text, bigint, bigint), audit.leaves_until(bigint) FROM PUBLIC;
DO $$
DECLARE
    thing record;
    may_become text;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_api') THEN
        GRANT USAGE ON SCHEMA audit TO decklog_api;
        GRANT SELECT ON ALL TABLES IN SCHEMA audit TO decklog_api;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA audit TO decklog_api;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_reader') THEN
        GRANT USAGE ON SCHEMA audit TO decklog_reader;
        GRANT SELECT ON audit.commits, audit.ref_moves, audit.applications, audit.syncs, audit.changes, audit.drifts,
            audit.object_versions, audit.refused_requests, audit.moments, audit.unplaced, audit.cursor TO decklog_reader;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA audit TO decklog_reader;
    END IF;
    may_become := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
    IF pg_has_role(current_user, 'decklog_projector', may_become) THEN
        ALTER SCHEMA audit OWNER TO decklog_projector;
        ALTER SCHEMA audit_rebuild OWNER TO decklog_projector;
        ALTER SCHEMA audit_retired OWNER TO decklog_projector;
        FOR thing IN SELECT c.oid::regclass AS name,
                CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind FROM pg_class c
            WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'v') LOOP
            EXECUTE format('ALTER %s %s OWNER TO decklog_projector', thing.kind, thing.name);
        END LOOP;
        FOR thing IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'audit'::regnamespace LOOP
            EXECUTE format('ALTER FUNCTION %s OWNER TO decklog_projector', thing.name);
        END LOOP;
    END IF;
EXCEPTION
    WHEN undefined_object THEN
        RAISE NOTICE 'role decklog_projector does not exist: the migrating user stays the owner';
END
$$;
