"""The published log as audit serves it: what a reader of c2sp.org/tlog-tiles gets, and who may."""

import asyncio
import contextlib
import gzip
import json
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import pytest

from decklog.model import merkle, receipt
from decklog.model.tlog import bundle, checkpoint, cosignature, keys, note, policy, tiles
from decklog.verifier import proving
from services.audit.api import database as database_pool
from tests import audit_leaves as some
from tests import audit_process, trees, witnesses
from tests.audit_process import LOG, Process


@pytest.fixture
async def process(database: str, tmp_path: Path) -> AsyncIterator[Process]:
    async with audit_process.running(database, tmp_path) as running:
        yield running


@pytest.fixture
async def public(database: str, tmp_path: Path) -> AsyncIterator[Process]:
    async with audit_process.running(database, tmp_path, log_public=True) as running:
        yield running


def bearer(process: Process, **headers: str):
    return process.stranger(Authorization=f"Bearer {audit_process.SECRET}", **headers)


DECLARED = 3
"""Leaves of an installation with a cluster and a source."""


async def opened(process: Process, size: int = DECLARED) -> checkpoint.Checkpoint:
    """The served checkpoint of at least that many leaves, verified."""
    async with asyncio.timeout(20), bearer(process) as reader:
        while True:
            answer = await reader.get("/checkpoint")
            if answer.status_code == 200:
                assert answer.headers["content-type"] == "text/plain; charset=utf-8"
                assert answer.headers["cache-control"] == "no-cache"
                tree, _ = checkpoint.open_with(answer.content, [LOG], origin=LOG.name)
                if tree.size >= size:
                    return tree
            await asyncio.sleep(0.02)


async def test_a_reader_gets_the_whole_log(process: Process) -> None:
    """Checkpoint, hashes and entries of what other services said: they fit together, and entries are receipts."""
    await process.say("reconcile", some.rendered())
    tree = await opened(process, DECLARED + 1)
    async with bearer(process) as reader:
        hashes = await reader.get(f"/{tiles.Tile(0, 0, tree.size).path}")
        entries = await reader.get(f"/{tiles.Bundle(0, tree.size).path}", headers={"Accept-Encoding": "identity"})
    for answer in (hashes, entries):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    said = bundle.decode(entries.content, tree.size)
    assert [receipt.parse(one).kind for one in said] == [receipt.Kind.EVENT] * tree.size
    assert b"".join(map(merkle.leaf_hash, said)) == hashes.content
    assert trees.root_of(map(merkle.leaf_hash, said)) == tree.root


async def test_entries_are_compressed_for_who_takes_it(process: Process) -> None:
    """The same bytes, packed; hashes are not, they do not shrink."""
    tree = await opened(process)
    async with bearer(process) as reader:
        plain = await reader.get(f"/{tiles.Bundle(0, tree.size).path}", headers={"Accept-Encoding": "identity"})
        request = reader.build_request(
            "GET", f"/{tiles.Bundle(0, tree.size).path}", headers={"Accept-Encoding": "gzip"}
        )
        packed = await reader.send(request, stream=True)
        raw = b"".join([part async for part in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content)


async def test_head_answers_as_get_without_the_body(process: Process) -> None:
    """What a mirror or a cache asks first: the same status and headers, also of what is not there."""
    tree = await opened(process)
    paths = [
        "/checkpoint",
        f"/{tiles.Tile(0, 0, tree.size).path}",
        f"/{tiles.Bundle(0, tree.size).path}",
        "/tile/0/001",
        "/tile/x",
    ]
    names = ("content-length", "content-type", "cache-control", "vary", "content-encoding")
    async with bearer(process) as reader:
        for path in paths:
            whole, head = await reader.get(path), await reader.head(path)
            assert head.status_code == whole.status_code, path
            if path == "/checkpoint":  # it may have grown meanwhile
                assert head.headers["cache-control"] == "no-cache"
            elif whole.status_code == 200:  # a problem names the method
                assert [head.headers.get(name) for name in names] == [whole.headers.get(name) for name in names]
            assert head.content == b""


async def test_every_checkpoint_that_was_signed_can_be_had(process: Process) -> None:
    """One a line, the smallest first, each verified; a reader who has some asks for the rest."""
    await opened(process)
    await process.say("reconcile", some.rendered())
    newest = await opened(process, DECLARED + 1)
    async with bearer(process) as reader:
        answer = await reader.get("/checkpoints.jsonl")
        rest = await reader.get("/checkpoints.jsonl", params={"after": newest.size - 1})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    trees = [checkpoint.open_with(line["note"].encode(), [LOG], origin=LOG.name)[0] for line in lines]
    assert [line["size"] for line in lines] == [tree.size for tree in trees] == sorted({tree.size for tree in trees})
    assert trees[-1] == newest
    assert len(trees) >= 2
    assert rest.text.splitlines() == answer.text.splitlines()[-1:]


async def test_cosignatures_are_served_and_counted(database: str, tmp_path: Path) -> None:
    """With a policy: the rung *witnessed* keeps up, and checkpoints and their list carry the lines of the witness."""
    key = witnesses.made(tmp_path / "witness")
    with witnesses.running(tmp_path / "witness", str(LOG)) as witness:
        rule = tmp_path / "policy"
        rule.write_text(f"log {LOG}\nwitness w {key} {witness.url}\nquorum w\n")
        async with audit_process.running(database, tmp_path, log_policy=rule, log_wait=True) as process:
            await process.say("reconcile", some.rendered())
            newest = await opened(process, DECLARED + 1)
            status = await audit_process.published(process)
            async with bearer(process) as reader:
                served = (await reader.get("/checkpoint")).content
                listed = [json.loads(line) for line in (await reader.get("/checkpoints.jsonl")).text.splitlines()]
    assert [rung["name"] for rung in status["rungs"]] == ["sequenced", "projected", "published", "witnessed"]
    assert policy.parse(rule.read_bytes()).open(served) == newest
    assert policy.parse(rule.read_bytes()).open(listed[-1]["note"].encode()) == newest


async def test_only_cosignatures_that_a_reader_can_verify_are_listed_and_counted(database: str, tmp_path: Path) -> None:
    """Junk, and a line over another text, as somebody stored them, are left out; the good line beside them is not.

    Of a witness that the policy does not name (any more) the last line counts that has the form of one.
    """
    witness, former = (keys.cosigner_from_pem(keys.new_pem(bytes([n]) * 32), f"w.example/{n}") for n in (1, 2))
    rule = tmp_path / "policy"
    rule.write_text(f"log {LOG}\nwitness w {witness.verifier} http://127.0.0.1:9\nquorum w\n")
    async with audit_process.running(database, tmp_path, log_policy=rule) as process, bearer(process) as reader:
        newest = await opened(process)
        text = newest.to_text()
        good, other = (cosignature.sign(text, one, 5) for one in (witness, former))
        wrong = cosignature.sign(f"{text}more\n", witness, 5)

        async def listed(*lines: tuple[keys.CosigningKey, object]) -> tuple[str, int]:
            """The checkpoint as it is listed, and how many leaves were witnessed, with these lines stored besides."""
            await _store(database, newest.size, lines)
            answer = await reader.get("/checkpoints.jsonl", params={"after": newest.size - 1})
            rungs = {rung["name"]: rung["size"] for rung in (await process.get("/status")).json()["rungs"]}
            return json.loads(answer.text.splitlines()[0])["note"], rungs["witnessed"]

        bare, witnessed = await listed()
        assert (len(note.parse(bare.encode()).signatures), witnessed) == (1, 0)
        assert await listed((witness, "junk"), (witness, wrong), (former, "junk")) == (bare, 0)
        assert await listed((witness, good), (former, other)) == (f"{bare}{good}\n{other}\n", newest.size)


async def _store(database: str, size: int, lines: Sequence[tuple[keys.CosigningKey, object]]) -> None:
    connection = await asyncpg.connect(database)
    for signer, line in lines:
        await connection.execute(
            "INSERT INTO ledger.cosignature SELECT $1, $2, $3, count(*) FROM ledger.cosignature",
            size, signer.verifier.label, str(line),
        )  # fmt: skip
    await connection.close()


async def test_partial_tiles_of_earlier_checkpoints_are_served_after_the_folder_was_made_again(
    process: Process,
) -> None:
    """Their files are gone, what they are the beginning of is not: cut, with the headers of any tile, for HEAD too."""
    tree = await opened(process)
    public = process.folder / "log" / "public"
    (public / tiles.Tile(7, 0).path).parent.mkdir(parents=True)
    whole = {tiles.Tile(7, 0): b"h" * tiles.TILE_BYTES, tiles.Bundle(7): bundle.encode([b"entry"] * tiles.WIDTH)}
    for tile, data in whole.items():
        (public / tile.path).write_bytes(data)
    async with bearer(process, **{"Accept-Encoding": "identity"}) as reader:
        newest = [await reader.get(f"/{one.path}") for one in (tiles.Tile(0, 0, tree.size), tiles.Bundle(0, tree.size))]
        for width in range(1, tree.size):
            for one in (tiles.Tile(0, 0, width), tiles.Bundle(0, width)):
                (public / one.path).unlink(missing_ok=True)
            hashes = await reader.get(f"/{tiles.Tile(0, 0, width).path}")
            entries = await reader.get(f"/{tiles.Bundle(0, width).path}")
            assert (hashes.status_code, hashes.content) == (200, newest[0].content[: width * merkle.HASH_SIZE])
            assert bundle.decode(entries.content, width) == bundle.decode(newest[1].content, tree.size)[:width]
            for answer, whole_one in zip((hashes, entries), newest, strict=True):
                assert answer.headers["cache-control"] == whole_one.headers["cache-control"]
                assert answer.headers["content-type"] == whole_one.headers["content-type"]
            assert (await reader.head(f"/{tiles.Bundle(0, width).path}")).status_code == 200
        assert (await reader.get(f"/{tiles.Tile(7, 0, 5).path}")).content == b"h" * 5 * merkle.HASH_SIZE
        assert (await reader.get(f"/{tiles.Bundle(7, 5).path}")).content == bundle.encode([b"entry"] * 5)
        assert (await reader.get(f"/{tiles.Tile(0, 0, tree.size + 1).path}")).status_code == 404


async def test_whoever_reads_a_list_slowly_keeps_nobody_else_from_the_api(database: str, public: Process) -> None:
    """More readers than the API has connections to Postgres, who ask for every checkpoint and then read nothing."""
    await public.say("reconcile", *(some.changed(number + 1) for number in range(300)))
    await opened(public, DECLARED + 300)
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(
            "INSERT INTO ledger.checkpoint (size, root, note, number) SELECT size, $1, $2, 1000 + size "
            "FROM generate_series(1, 250) size ON CONFLICT DO NOTHING",
            bytes(32),
            b"x" * 60_000,
        )
    finally:
        await connection.close()
    host, port = public.address.removeprefix("http://").split(":")
    async with contextlib.AsyncExitStack() as readers:
        for _ in range(database_pool.CONNECTIONS + 2):
            slow = readers.enter_context(socket.create_connection((host, int(port))))
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.sendall(b"GET /checkpoints.jsonl HTTP/1.1\r\nHost: %b\r\n\r\n" % f"{host}:{port}".encode())
            await asyncio.to_thread(slow.recv, 1)
        assert (await public.get("/status")).status_code == 200


PATHS = ["/checkpoint", "/checkpoints.jsonl", "/tile/0/000.p/3", "/tile/entries/000.p/3"]


@pytest.mark.parametrize("path", PATHS)
async def test_the_log_is_behind_the_token(process: Process, path: str) -> None:
    """Entries hold names and subjects: without a setting nobody reads them without the token."""
    await opened(process)
    async with process.stranger() as stranger:
        assert (await stranger.get(path)).status_code == 401


async def test_a_public_log_needs_no_token_and_nothing_else_is_public(public: Process) -> None:
    """With the setting the log is for everybody, under any host name; the API and the page are not."""
    tree = await opened(public)
    async with public.stranger(Host="log.example") as anybody:
        for path in ("/checkpoint", "/checkpoints.jsonl", f"/{tiles.Bundle(0, tree.size).path}"):
            assert (await anybody.get(path)).status_code == 200, path
        tile = await anybody.get(f"/{tiles.Tile(0, 0, tree.size).path}")
        assert tile.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert (await anybody.post("/checkpoint")).status_code == 403
        for path in ("/api/v1/status", "/", "/tiles", "/checkpoint/x"):
            assert (await anybody.get(path)).status_code == 403, path


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/001",
        "/tile/0/000.p/200",
        "/tile/64/000",
        "/tile/0/0",
        "/tile/%2e%2e/%2e%2e/salts/entries/000.p/4",
        "/tile/..%2f..%2fsalts/entries/000.p/4",
        "/salts/entries/000.p/4",
        "/public/checkpoint",
    ],
)
async def test_what_is_not_of_the_log_is_not_there(process: Process, path: str) -> None:
    """Tiles that do not exist, other names, and ways out of the folder: 404 and a hint, never a file."""
    tree = await opened(process)
    assert (process.folder / "log" / "salts" / "entries" / f"000.p/{tree.size}").exists()
    async with bearer(process) as reader:
        answer = await reader.get(path)
    assert answer.status_code == 404
    assert answer.json()["hint"]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_proof_is_served_and_stands_alone(process: Process) -> None:
    """Made on the server out of its tiles, checked with the key alone."""
    await process.say("reconcile", some.rendered())
    tree = await opened(process, DECLARED + 1)
    answer = await process.get("/leaves/2/proof")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    proved = proving.check(answer.text, policy.of_keys([LOG]))
    assert proved.leaf == 2
    assert proved.tree.size >= tree.size
    assert receipt.parse(proved.entry).kind is receipt.Kind.EVENT
    later = await process.get(f"/leaves/{tree.size + 1000}/proof")
    assert (later.status_code, "is not published yet" in later.json()["detail"]) == (503, True)


async def test_what_is_pruned_is_gone_and_the_rest_is_proved(database: str, tmp_path: Path) -> None:
    """Full tiles and bundles before the minimum index: 410 with the way out; the API tells the index."""
    async with audit_process.running(database, tmp_path, log_minimum_index=300) as process:
        await process.say("reconcile", *(some.changed(number + 1) for number in range(600)))
        await opened(process, 600)
        assert (await process.get("/log")).json()["minimum_index"] == 300
        async with bearer(process) as reader:
            for path in ("tile/0/000", "tile/entries/000", "tile/0/000.p/5", "tile/entries/000.p/5"):
                answer = await reader.get(f"/{path}")
                assert (answer.status_code, "decklog verify --from" in answer.json()["hint"]) == (410, True)
            for path in ("tile/0/001", "tile/entries/001"):
                assert (await reader.get(f"/{path}")).status_code == 200
            assert (await reader.get("/tile/1/000.p/2")).status_code == 200
