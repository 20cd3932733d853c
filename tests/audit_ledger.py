"""A ledger in Postgres with given leaves, appended through the real writer, for tests of the read side."""

import hashlib
import itertools
from collections.abc import Sequence

from decklog.adapters.postgres import ledger as postgres
from decklog.model import envelope, events, merkle, receipt
from decklog.ports import ledger
from services.audit.core.leaf import Leaf

SALT = receipt.salt(b"s" * receipt.DRAWN_BYTES, None)


async def append(uri: str, leaves: Sequence[Leaf], *, topic: str = "t.apply.v1") -> None:
    """Append leaves in order, numbered as they are."""
    writer = await postgres.PostgresWriter.connect(uri)
    try:
        await writer.lead()
        head = await writer.head()
        for recorded_at, together in itertools.groupby(leaves, lambda leaf: leaf.recorded_us):
            added = _together(list(together), recorded_at, topic)
            after = ledger.Head(frontier=head.frontier.extend(added.hashes), recorded_at=recorded_at)
            await writer.append(ledger.Addition(before=head, after=after, leaves=added, positions={}))
            head = after
    finally:
        await writer.close()


def _together(leaves: Sequence[Leaf], recorded_at: int, topic: str) -> ledger.Leaves:
    receipts = [_receipt(leaf, topic) for leaf in leaves]
    values = [(leaf.index, events.encode(leaf.message)) for leaf in leaves if leaf.message is not None]
    digests = {number: hashlib.sha256(value).digest() for number, value in values}
    return ledger.Leaves(
        first=leaves[0].index,
        recorded_at=recorded_at,
        hashes=merkle.leaf_hashes(receipts),
        receipts=receipts,
        payloads=[(number, SALT, value, None) for number, value in values],
        firsts=[
            ((leaf.source, leaf.event_id), (leaf.index, digests.get(leaf.index))) for leaf in leaves if leaf.event_id
        ],
    )


def _receipt(leaf: Leaf, topic: str) -> bytes:
    value = events.encode(leaf.message) if leaf.message is not None else None
    return receipt.encode(
        receipt.Receipt(
            kind=receipt.Kind(leaf.kind),
            recorded_at=leaf.recorded_us,
            attributes=_attributes(leaf) if leaf.event_id else None,
            key=leaf.key,
            commitment=receipt.commitment(SALT, value or b""),
            length=len(value or b""),
            place=receipt.Place("kafka", topic, 0, 0, leaf.index),
            about=receipt.Poison(str((leaf.about or {})["reason"])) if leaf.kind == "poison" else None,
        )
    )


def _attributes(leaf: Leaf) -> receipt.Attributes:
    event = envelope.Event(
        id=leaf.event_id,
        source=leaf.source,
        type=leaf.type,
        subject=leaf.subject or "dev/shop",
        time_us=leaf.time_us,
        data=b"",
        sequence=leaf.sequence,
    )
    return receipt.attributes(event)
