-- For an administrator of a server on which the migrations may not make roles: run it once, before them.
--
--     psql -v migrator=NAME -f roles.sql postgresql://administrator@host/decklog
--
-- NAME is the login that runs `python -m decklog.adapters.postgres.migrations`; it gives what it makes to the first two
-- roles and needs no right beyond that. Then make a login for each part of audit, with rights by its role alone:
--
--     CREATE ROLE decklog_writer_of_decklog LOGIN;    \password decklog_writer_of_decklog
--     GRANT decklog_writer TO decklog_writer_of_decklog;
--
-- and so for projector, api and eraser; `decklog admin postgres logins` does that where it may. People who query the views
-- get decklog_reader. All roles belong to the server: on one that has several installations, let each login connect to
-- its own database only (REVOKE CONNECT ON DATABASE … FROM PUBLIC).

CREATE ROLE decklog_owner NOLOGIN;
CREATE ROLE decklog_projector NOLOGIN;
CREATE ROLE decklog_writer NOLOGIN;
CREATE ROLE decklog_eraser NOLOGIN;
CREATE ROLE decklog_api NOLOGIN;
CREATE ROLE decklog_reader NOLOGIN;
GRANT decklog_owner, decklog_projector TO :"migrator";
GRANT CREATE ON SCHEMA public TO :"migrator";
SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), :'migrator') \gexec
