"""What holds of a published log, whatever happened to its publisher."""

import orjson

from decklog.model import merkle
from decklog.model.tlog import policy
from decklog.verifier import log as verifier
from decklog.verifier import source
from tests import trees
from tests.published_log import BOTH, NEXT, SIGNER, Log


async def verified(log: Log) -> None:
    """Whatever is served verifies as a whole, with every checkpoint that was ever signed up to it."""
    if not (log.path / "public" / "checkpoint").exists():
        return
    rows = await log.execute(
        "SELECT size, note FROM ledger.checkpoint WHERE size <= $1 ORDER BY size", log.served().size
    )
    assert (log.path / "public" / "checkpoint").read_bytes() in [row["note"] for row in rows]
    lines = [orjson.dumps({"size": row["size"], "note": row["note"].decode()}) + b"\n" for row in rows]
    public = log.path / "public"
    (public / "checkpoints.jsonl").write_bytes(b"".join(lines))
    trusted = policy.of_keys([SIGNER.verifier, NEXT.verifier])
    verdict = verifier.verify(source.Folder(public), trusted, verifier.Wanted())
    (public / "checkpoints.jsonl").unlink()
    assert [str(one) for one in verdict.findings] == []
    assert verdict.checkpoints == len(rows)


async def all_is_published(log: Log) -> list[bytes]:
    """Started once more it publishes the whole ledger, of these leaves, and nothing unfinished is left."""
    await log.publish(signers=BOTH)
    await verified(log)
    leaves = [row["receipt"] for row in await log.execute("SELECT receipt FROM ledger.entry ORDER BY leaf")]
    assert log.served().size == log.size == len(leaves)
    assert log.served().root == trees.root_of([merkle.leaf_hash(leaf) for leaf in leaves])
    assert list((log.path / "unfinished").iterdir()) == []
    return leaves
