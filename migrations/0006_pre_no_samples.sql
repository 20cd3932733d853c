-- Postgres keeps a sample of each column that it analyzes, and what was erased would stay there until it does so again: of
-- payloads with their salts, and of their digests. No statement needs one to be planned.
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

-- The partitions that are there, too. Naming the type anew drops what was kept by now.
-- squawk-ignore changing-column-type
ALTER TABLE ledger.payload ALTER COLUMN salt TYPE bytea, ALTER COLUMN value TYPE bytea, ALTER COLUMN headers TYPE bytea;
ALTER TABLE ledger.payload ALTER COLUMN salt SET STATISTICS 0, ALTER COLUMN value SET STATISTICS 0,
    ALTER COLUMN headers SET STATISTICS 0;
-- squawk-ignore changing-column-type
ALTER TABLE ledger.dedup ALTER COLUMN sha256 TYPE bytea;
ALTER TABLE ledger.dedup ALTER COLUMN sha256 SET STATISTICS 0;

-- As before; and a partition does not inherit what is to be analyzed.
CREATE OR REPLACE FUNCTION ledger.ensure_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
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
            IF parent = 'payload' THEN
                EXECUTE format('ALTER TABLE ledger.%I ALTER COLUMN salt SET STATISTICS 0, '
                    'ALTER COLUMN value SET STATISTICS 0, ALTER COLUMN headers SET STATISTICS 0', child);
            END IF;
            PERFORM ledger.protect(format('ledger.%I', child)::regclass);
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;
