-- What others said of a checkpoint: cosignatures of witnesses, and time stamps; and what a recovered ledger lacks. Facts,
-- too: only ever added to.

SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '60s';

-- One line of a signed note (c2sp.org/tlog-cosignature) per checkpoint and cosigner, `NAME+KEYID`. Like checkpoints they, and
-- time stamps, are numbered without a gap, in the order in which they came.
CREATE TABLE ledger.cosignature (
    size bigint NOT NULL,
    cosigner text NOT NULL CHECK (length(cosigner) <= 1000),
    line text NOT NULL CHECK (length(line) <= 10000),
    number bigint NOT NULL UNIQUE CHECK (number >= 0),
    PRIMARY KEY (size, cosigner)
);

-- One answer of a time-stamping authority (RFC 3161) per checkpoint and authority, over the text that is signed.
CREATE TABLE ledger.time_stamp (
    size bigint NOT NULL,
    authority text NOT NULL CHECK (length(authority) <= 1000),
    token bytea NOT NULL CHECK (octet_length(token) <= 100000),
    number bigint NOT NULL UNIQUE CHECK (number >= 0),
    PRIMARY KEY (size, authority)
);

-- Leaves whose payload was in Kafka no longer when the ledger was recovered from its published log: their leaves stand,
-- and what they said is lost.
CREATE TABLE ledger.missing (
    leaf bigint NOT NULL CHECK (leaf >= 0),
    PRIMARY KEY (leaf)
);

SELECT ledger.protect(name::regclass)
FROM unnest(ARRAY['ledger.cosignature', 'ledger.time_stamp', 'ledger.missing']) AS name;

DO $$
DECLARE
    may_become text;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_writer') THEN
        GRANT SELECT, INSERT ON ledger.cosignature, ledger.time_stamp, ledger.missing TO decklog_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_reader') THEN
        GRANT SELECT ON ledger.cosignature, ledger.time_stamp, ledger.missing TO decklog_reader;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_api') THEN
        GRANT SELECT ON ledger.cosignature, ledger.time_stamp, ledger.missing TO decklog_api;
    END IF;
    may_become := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_owner')
        AND pg_has_role(current_user, 'decklog_owner', may_become) THEN
        ALTER TABLE ledger.cosignature OWNER TO decklog_owner;
        ALTER TABLE ledger.time_stamp OWNER TO decklog_owner;
        ALTER TABLE ledger.missing OWNER TO decklog_owner;
    END IF;
END
$$;
