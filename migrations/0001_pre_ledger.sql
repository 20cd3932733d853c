-- The ledger: facts that are only ever added to. PostgreSQL >= 15.
--
-- Postgres cannot make a table immutable (its owner can drop a trigger), so this prevents accidents and misuse with
-- roles and triggers; that nothing was altered is shown by `decklog admin audit-db` and by the checkpoints outside.

SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA ledger;

-- Group roles: rights without a login. `decklog admin postgres logins` makes a login for each part of audit, which has one
-- of them. Where the migrating user may not create roles, an administrator does it once (deploy/postgres/roles.sql) and
-- the grants at the end of this file find them.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'decklog_owner', 'decklog_writer', 'decklog_projector', 'decklog_eraser', 'decklog_api', 'decklog_reader'
    ] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION
            -- Another database of this cluster has it already, or makes it at this very moment.
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % was not created: not permitted', wanted;
        END;
    END LOOP;
END
$$;

-- One row per leaf: the canonical receipt (RFC 8785) and its RFC 6962 leaf hash.
CREATE TABLE ledger.entry (
    leaf bigint NOT NULL CHECK (leaf >= 0),
    recorded_at bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    receipt bytea NOT NULL CHECK (octet_length(receipt) <= 65535),
    PRIMARY KEY (leaf)
) PARTITION BY RANGE (leaf);
COMMENT ON COLUMN ledger.entry.recorded_at IS 'microseconds since 1970, never decreasing; also in the receipt';

-- What a leaf commits to, apart from it so that it can be erased: the raw Kafka value (NULL for a record without one),
-- those headers that the receipt does not repeat (in the framing of decklog.model.headers), and the salt, half of it
-- random and half a digest of the headers.
CREATE TABLE ledger.payload (
    leaf bigint NOT NULL CHECK (leaf >= 0),
    salt bytea NOT NULL CHECK (octet_length(salt) = 32),
    value bytea,
    headers bytea,
    PRIMARY KEY (leaf)
) PARTITION BY RANGE (leaf);

-- Producers by number: the deduplication index stays compact.
CREATE TABLE ledger.source (
    source bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

-- Which leaf had an event's id first, and the SHA-256 of its bytes (NULL once erased). `source` names a row of
-- ledger.source; a foreign key would check every row of the hottest path, `decklog admin audit-db` checks them all.
CREATE TABLE ledger.dedup (
    id uuid NOT NULL,
    source bigint NOT NULL,
    leaf bigint NOT NULL,
    sha256 bytea CHECK (octet_length(sha256) = 32),
    PRIMARY KEY (id, source)
);

-- The tree: one row, and the fence. `UPDATE ... WHERE size = expected` lets one writer in.
CREATE TABLE ledger.head (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    size bigint NOT NULL CHECK (size >= 0),
    frontier bytea NOT NULL CHECK (octet_length(frontier) % 32 = 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    recorded_at bigint NOT NULL
);
INSERT INTO ledger.head (size, frontier, root, recorded_at) VALUES (0, '', sha256(''), 0);

-- Where reading goes on, per partition. `epoch` counts the incarnations of the topic, `incarnation` is Kafka's id of the
-- one that was read; `last_leaf` is the leaf of the record before `next_offset`. By both a recreated topic is recognised.
CREATE TABLE ledger.position (
    topic text NOT NULL,
    partition integer NOT NULL CHECK (partition >= 0),
    cluster text NOT NULL,
    incarnation text NOT NULL,
    epoch integer NOT NULL CHECK (epoch >= 0),
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    last_leaf bigint,
    PRIMARY KEY (topic, partition)
);

-- Every checkpoint that was ever signed, before it was served: the tree at that size, and the signed note. They are
-- numbered without a gap, so that a deleted one is missed.
CREATE TABLE ledger.checkpoint (
    size bigint NOT NULL CHECK (size >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    note bytea NOT NULL CHECK (octet_length(note) <= 1000000),
    number bigint NOT NULL UNIQUE CHECK (number >= 0),
    PRIMARY KEY (size)
);

-- Legal holds: while one stands nothing is erased. A row for each leaf that says that one was placed or released.
CREATE TABLE ledger.legal_hold (
    leaf bigint NOT NULL CHECK (leaf >= 0),
    hold text NOT NULL,
    placed boolean NOT NULL,
    PRIMARY KEY (leaf)
);

-- Which keys sign the published log. A row for each leaf that rotates them: from there on `vkey` signs, and `beside` with it.
CREATE TABLE ledger.rotation (
    leaf bigint NOT NULL CHECK (leaf >= 0),
    vkey text NOT NULL,
    beside text,
    PRIMARY KEY (leaf)
);

-- Everybody who follows the ledger is woken when it grows; the payload is the new size.
CREATE FUNCTION ledger.announce_head() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('decklog_head', NEW.size::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER announce_head AFTER UPDATE ON ledger.head FOR EACH ROW EXECUTE FUNCTION ledger.announce_head();
ALTER TABLE ledger.head ENABLE ALWAYS TRIGGER announce_head;

-- Facts are not changed.
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the ledger is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'Facts are corrected by new facts; erasure has its own command';
END
$$;

CREATE FUNCTION ledger.protect(protected regclass) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
        'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', protected);
    -- ALWAYS: also when session_replication_role says that triggers are off.
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only', protected);
END
$$;
SELECT ledger.protect(name::regclass)
FROM unnest(ARRAY[
    'ledger.entry', 'ledger.payload', 'ledger.source', 'ledger.dedup', 'ledger.checkpoint', 'ledger.legal_hold',
    'ledger.rotation'
]) AS name;

-- Partitions of ten million leaves, always two ahead of the head, each with its own trigger (statement triggers are not
-- inherited). Runs as its owner, so that a writer who may only insert can call it.
CREATE FUNCTION ledger.ensure_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    width constant bigint := 10000000;
    parent text;
    child text;
    made integer := 0;
    upto bigint;
BEGIN
    -- One at a time; whoever waited finds them made.
    PERFORM pg_advisory_xact_lock(hashtext('decklog ledger partitions'));
    SELECT size / width + 2 INTO upto FROM ledger.head;
    FOREACH parent IN ARRAY ARRAY['entry', 'payload'] LOOP
        FOR number IN 0..upto LOOP
            child := format('%s_p%s', parent, lpad(number::text, 6, '0'));
            CONTINUE WHEN to_regclass('ledger.' || child) IS NOT NULL;
            EXECUTE format('CREATE TABLE ledger.%I PARTITION OF ledger.%I FOR VALUES FROM (%s) TO (%s)',
                child, parent, number * width, (number + 1) * width);
            PERFORM ledger.protect(format('ledger.%I', child)::regclass);
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;
SELECT ledger.ensure_partitions();

-- A receipt as jsonb, whatever a sender wrote: jsonb has no NUL, and in its place U+FFFD is read. Canonical JSON writes NUL
-- as \u0000 alone; behind an escaped backslash the same letters become others, and the text stays JSON.
CREATE FUNCTION ledger.said(receipt bytea) RETURNS jsonb LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT pg_catalog.replace(pg_catalog.convert_from(receipt, 'UTF8'), '\u0000', '\ufffd')::pg_catalog.jsonb
$$;

-- Lawful erasure: the payloads that an erasure leaf names, with their salts and headers, and the digests by which a repeated
-- id would be compared. Erases what a leaf in the ledger orders and nothing else, so nobody can erase without leaving word;
-- called by the leader in the transaction that appends that leaf. Returns how many payloads went. The triggers are off
-- for this transaction alone, and nobody else sees them so.
CREATE FUNCTION ledger.erase(erasure bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said jsonb;
    span jsonb;
    gone bigint;
    total bigint := 0;
BEGIN
    SELECT ledger.said(e.receipt) INTO said FROM ledger.entry e WHERE e.leaf = erasure;
    IF said IS NULL OR said ->> 'kind' <> 'erasure' THEN
        RAISE EXCEPTION 'leaf % orders no erasure', erasure USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (
        -- As it stood when this was ordered: one that was placed behind it comes too late.
        SELECT FROM (
            SELECT DISTINCT ON (h.hold) h.placed FROM ledger.legal_hold h WHERE h.leaf < erasure
            ORDER BY h.hold, h.leaf DESC
        ) latest
        WHERE latest.placed
    ) THEN
        RAISE EXCEPTION 'a legal hold stands: nothing is erased' USING ERRCODE = 'restrict_violation';
    END IF;
    ALTER TABLE ledger.payload DISABLE TRIGGER append_only;
    ALTER TABLE ledger.dedup DISABLE TRIGGER append_only;
    FOR span IN SELECT jsonb_array_elements(said -> 'about' -> 'ranges') LOOP
        DELETE FROM ledger.payload p
        WHERE p.leaf >= (span ->> 0)::bigint AND p.leaf < least((span ->> 1)::bigint, erasure);
        GET DIAGNOSTICS gone = ROW_COUNT;
        total := total + gone;
        -- By id: the index knows no leaves.
        UPDATE ledger.dedup d SET sha256 = NULL FROM (
            SELECT e.leaf, ledger.said(e.receipt) AS said FROM ledger.entry e
            WHERE e.leaf >= (span ->> 0)::bigint AND e.leaf < least((span ->> 1)::bigint, erasure)
        ) f
        WHERE d.leaf = f.leaf AND d.id = CASE WHEN f.said ->> 'kind' = 'event' THEN (f.said #>> '{ce,id}')::uuid END;
    END LOOP;
    ALTER TABLE ledger.payload ENABLE ALWAYS TRIGGER append_only;
    ALTER TABLE ledger.dedup ENABLE ALWAYS TRIGGER append_only;
    RETURN total;
END
$$;

-- Who may do what. Nobody but the owner may touch a partition directly: rows go in through the parents.
REVOKE ALL ON SCHEMA ledger FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
DO $$
DECLARE
    thing record;
    may_become text;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_writer') THEN
        GRANT USAGE ON SCHEMA ledger TO decklog_writer;
        GRANT SELECT, INSERT ON ledger.entry, ledger.payload, ledger.source, ledger.dedup, ledger.checkpoint,
            ledger.legal_hold, ledger.rotation TO decklog_writer;
        GRANT SELECT, UPDATE ON ledger.head TO decklog_writer;
        GRANT SELECT, INSERT, UPDATE ON ledger.position TO decklog_writer;
        GRANT EXECUTE ON FUNCTION ledger.ensure_partitions() TO decklog_writer;
        -- Triggers run their functions with the rights of whoever fires them.
        GRANT EXECUTE ON FUNCTION ledger.announce_head(), ledger.refuse_change() TO decklog_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_projector') THEN
        GRANT USAGE ON SCHEMA ledger TO decklog_projector;
        GRANT SELECT ON ledger.entry, ledger.payload, ledger.dedup, ledger.source, ledger.head, ledger.position
            TO decklog_projector;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_reader') THEN
        -- Payloads are read through the views of schema audit.
        GRANT USAGE ON SCHEMA ledger TO decklog_reader;
        GRANT SELECT ON ledger.entry, ledger.dedup, ledger.source, ledger.head, ledger.position, ledger.checkpoint,
            ledger.rotation TO decklog_reader;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_api') THEN
        -- What the API answers with; it can write nothing.
        GRANT USAGE ON SCHEMA ledger TO decklog_api;
        GRANT SELECT ON ledger.entry, ledger.payload, ledger.source, ledger.dedup, ledger.head, ledger.position,
            ledger.checkpoint, ledger.legal_hold, ledger.rotation TO decklog_api;
        GRANT EXECUTE ON FUNCTION ledger.said(bytea) TO decklog_api;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_eraser') THEN
        -- Erases and appends the leaf that says so in one transaction, so it may append like a writer.
        GRANT USAGE ON SCHEMA ledger TO decklog_eraser;
        GRANT SELECT, INSERT ON ledger.entry, ledger.source TO decklog_eraser;
        GRANT INSERT ON ledger.payload, ledger.dedup, ledger.legal_hold, ledger.rotation TO decklog_eraser;
        GRANT SELECT, UPDATE ON ledger.head TO decklog_eraser;
        GRANT SELECT, INSERT, UPDATE ON ledger.position TO decklog_eraser;
        GRANT EXECUTE ON FUNCTION ledger.ensure_partitions(), ledger.announce_head(), ledger.refuse_change(),
            ledger.erase(bigint) TO decklog_eraser;
    END IF;
    -- Ownership goes to a role that nobody logs in with, where the migrating user may give it away (from PostgreSQL 16
    -- on that asks for more than membership).
    may_become := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
    IF pg_has_role(current_user, 'decklog_owner', may_become) THEN
        ALTER SCHEMA ledger OWNER TO decklog_owner;
        FOR thing IN SELECT c.oid::regclass AS name FROM pg_class c
            WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind IN ('r', 'p') LOOP
            EXECUTE format('ALTER TABLE %s OWNER TO decklog_owner', thing.name);
        END LOOP;
        FOR thing IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'ledger'::regnamespace LOOP
            EXECUTE format('ALTER FUNCTION %s OWNER TO decklog_owner', thing.name);
        END LOOP;
    END IF;
EXCEPTION
    WHEN undefined_object THEN
        RAISE NOTICE 'role decklog_owner does not exist: the migrating user stays the owner';
END
$$;
