"""A ledger in Postgres with given leaves, appended through the real writer, for tests of the read side."""

from collections.abc import Sequence

from decklog.adapters.postgres import ledger as postgres
from decklog.model import envelope, events, merkle, receipt
from decklog.ports import ledger
from services.audit.core.leaf import Leaf

SALT = b"s" * 32


async def append(uri: str, leaves: Sequence[Leaf], *, topic: str = "t.apply.v1") -> None:
    """Append leaves in order, numbered as they are."""
    writer = await postgres.PostgresWriter.connect(uri)
    try:
        await writer.lead()
        before = await writer.head()
        entries = [_entry(leaf, topic) for leaf in leaves]
        frontier = before.frontier.extend(entry.hash for entry in entries)
        after = ledger.Head(frontier=frontier, recorded_at=entries[-1].recorded_at)
        await writer.append(ledger.Addition(before=before, after=after, leaves=entries, positions={}))
    finally:
        await writer.close()


def _entry(leaf: Leaf, topic: str) -> ledger.Leaf:
    value = events.encode(leaf.message) if leaf.message is not None else None
    said = receipt.encode(
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
    return ledger.Leaf(
        number=leaf.index,
        hash=merkle.leaf_hash(said),
        receipt=said,
        recorded_at=leaf.recorded_us,
        salt=SALT if value is not None else None,
        value=value,
        headers=None,
        identity=ledger.Identity(leaf.source, leaf.event_id) if leaf.event_id else None,
        sha256=None,
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
