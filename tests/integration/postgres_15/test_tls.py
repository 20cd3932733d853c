"""TLS to Postgres: what is not verified is refused, with words that say what to change."""

from urllib import parse

import asyncpg
import pytest

from decklog.adapters.postgres import failures
from decklog.model import errors
from services.audit import privileges
from services.audit.core.privileges import Part
from tests import audit_process
from tests import stack as stacks


async def refused(uri):
    """How connecting is refused."""
    with pytest.raises(errors.DecklogError) as caught, failures.translated("DECKLOG_POSTGRES_API"):
        await asyncpg.connect(uri, timeout=10)
    return caught.value


async def test_audit_works_over_verified_tls(database, tmp_path):
    """The whole process: sequenced, projected, published and answered, every connection of it encrypted."""
    async with audit_process.running(database, tmp_path) as process:
        said = await process.say("ingest", audit_process.commit(), key="infrastructure")
        shown = await process.get("/timeline", after=said)
        assert "Scale up" in shown.text
        connection = await asyncpg.connect(database)
        rows = await connection.fetch(
            "SELECT a.usename, s.ssl FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.datname = $1",
            parse.urlsplit(database).path[1:],
        )
        await connection.close()
    assert all(row["ssl"] for row in rows)
    assert {part.role for part in (Part.WRITER, Part.PROJECTOR, Part.API)} <= {
        row["usename"].partition("_of_")[0] for row in rows
    }


async def test_a_certificate_of_another_authority_is_refused(server):
    """A person must act: trying again would not help."""
    error = await refused(server.uri.replace(str(server.authority), str(server.other_authority)))
    assert isinstance(error, errors.Terminal)
    assert "the server's certificate is not accepted: unable to get local issuer certificate" in str(error)
    assert "sslrootcert=FILE" in str(error)


async def test_a_certificate_for_another_name_is_refused(server):
    """The server listens there, and its certificate is for another name."""
    error = await refused(server.uri.replace("@localhost:", "@127.0.0.1:"))
    assert isinstance(error, errors.Terminal)
    assert "certificate is not accepted: IP address mismatch, certificate is not valid for '127.0.0.1'" in str(error)
    assert "Connect by a name that its certificate has" in str(error)


async def test_a_missing_authority_is_named(server, tmp_path):
    """The system does not say which file is not there; the message says which it may be."""
    error = await refused(server.uri.replace(str(server.authority), str(tmp_path / "no-ca.pem")))
    assert "a file that the URI names (sslrootcert) is not there" in str(error)


async def test_a_server_that_wants_tls_says_so(server):
    """Without TLS the server lets nobody in, and the message says what to add."""
    error = await refused(server.uri.partition("?")[0] + "?sslmode=disable")
    assert "add sslmode=verify-full" in str(error)
    assert server.password not in str(error)


async def test_a_server_without_tls_is_named():
    """Asked for TLS, a server without it is refused: nothing goes out in the clear."""
    error = await refused(stacks.current().postgres + "?sslmode=require")
    assert "That server has no TLS" in str(error)


@pytest.mark.parametrize("part", Part)
async def test_logins_keep_the_way_of_connecting(database, part):
    """The URIs that are made for the parts of audit verify the server as the administrator's does."""
    uri = stacks.logins(database)[part]
    assert "sslmode=verify-full" in uri
    connection = await asyncpg.connect(uri)
    await privileges.check(connection, part)
    await connection.close()
