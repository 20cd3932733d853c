"""Recovering a database that is behind its published log: rows made again from entries, salts and Kafka's records.

A leaf is in the signed tree, so its entry is certain. Its payload is not: a record is taken only if it is what the leaf
commits to, and where none is to be had the leaf is marked. Everything else follows from the leaves.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from decklog.model import leaf_ranges, merkle, receipt, receipt_attributes
from decklog.model.tlog import checkpoint, proofs, rotation
from decklog.ports import ledger, stream
from services.audit.core import erasing, recovered_holds
from services.audit.core import sequencing_examine as examination


class Unrecoverable(ValueError):
    """What is in the folder cannot be what the database lacks."""


class Published(NamedTuple):
    """One leaf as the published log's folder has it. `salt` is None where there is none, or no longer."""

    number: int
    receipt: bytes
    salt: bytes | None


class Sought(NamedTuple):
    """A record that a leaf was made from, by its place in Kafka."""

    where: stream.TopicPartition
    offset: int


Records = Mapping[Sought, stream.Record]


def salts(data: bytes, count: int) -> list[bytes | None]:
    """The salts of a file of them: each behind its length, 0 where there is none. Raises Unrecoverable."""
    found: list[bytes | None] = []
    at = 0
    while at < len(data) and len(found) < count:
        end = at + 1 + data[at]
        salt = data[at + 1 : end]
        if len(salt) != data[at] or len(salt) not in (0, receipt.SALT_BYTES):
            break
        found.append(salt or None)
        at = end
    if at != len(data) or len(found) != count:
        raise Unrecoverable(f"a file of {count} salts is damaged at byte {at}")
    return found


def continues(head: ledger.Head, published: checkpoint.Checkpoint, read: proofs.ReadHashes) -> None:
    """Insist that the database's leaves are the first ones of the published tree. Raises Unrecoverable."""
    if head.frontier.root() != proofs.root(head.size, read):
        raise Unrecoverable(
            f"the {head.size} leaves of the database are not the first ones of the {published.size} that were "
            "published: one of the two was forked or changed"
        )


def sought(leaves: Sequence[Published]) -> Iterator[Sought]:
    """The records that have to be read again: those of leaves that keep one, and did not lose it to an erasure."""
    for leaf in leaves:
        said = receipt.parse(leaf.receipt)
        if leaf.salt is not None and said.place is not None:
            yield _sought(said.place)


def erased(entries: Iterable[bytes]) -> list[leaf_ranges.Range]:
    """The leaves whose payloads are gone by order, as the receipts of erasures among these say."""
    abouts = (receipt.parse(entry).about for entry in entries if receipt_attributes.is_erasure(entry))
    return leaf_ranges.joined(one for about in abouts if isinstance(about, receipt.Erasure) for one in about.ranges)


def batch(
    before: ledger.Head,
    leaves: Sequence[Published],
    records: Records,
    *,
    rules: examination.Rules,
    positions: Mapping[stream.TopicPartition, ledger.Position],
    incarnations: Mapping[str, str],
    holds: recovered_holds.Holds,
    erased: Sequence[leaf_ranges.Range],
) -> ledger.Addition:
    """The transaction that adds these leaves, all recorded at one time, behind `before`.

    `positions` are the ones now, `incarnations` those of the topics that exist; `holds` hears of each leaf. What was
    `erased` by leaves that are recovered is not missing. Raises Unrecoverable.
    """
    parts = [_part(leaf, records, rules) for leaf in leaves]
    said = [part.said for part in parts]
    hashes = merkle.leaf_hashes([leaf.receipt for leaf in leaves])
    recorded_at = said[0].recorded_at
    return ledger.Addition(
        before=before,
        after=ledger.Head(frontier=before.frontier.extend(hashes), recorded_at=recorded_at),
        leaves=ledger.Leaves(
            first=before.size,
            recorded_at=recorded_at,
            hashes=hashes,
            receipts=[leaf.receipt for leaf in leaves],
            payloads=[part.payload for part in parts if part.payload is not None],
            firsts=[part.first for part in parts if part.first is not None],
        ),
        positions=_moved(leaves, said, positions, incarnations, rules.cluster),
        missing=[part.number for part in parts if part.gone and not leaf_ranges.holds(erased, part.number)],
        # What was erased by order is erased again: the backup had it still.
        erasures=[part.number for part in parts if part.said.kind is receipt.Kind.ERASURE],
        holds=list(_holds(parts, holds)),
        rotations=[
            rotation.Rotation(part.number, *part.said.about)
            for part in parts
            if isinstance(part.said.about, receipt.Rotation)
        ],
    )


class _Part(NamedTuple):
    """What one leaf puts into the transaction, but for its place in the tree and in Kafka."""

    number: int
    said: receipt.Receipt
    payload: ledger.Payload | None
    gone: bool
    """Whether it keeps a payload that is not to be had: lost, or erased by order."""
    first: tuple[ledger.Identity, ledger.Known] | None
    """The id that it had first, if it is an event."""
    hold: ledger.HoldChange | None


def _part(leaf: Published, records: Records, rules: examination.Rules) -> _Part:
    """Raises Unrecoverable for an event whose id nothing tells."""
    said = receipt.parse(leaf.receipt)
    record = None if said.place is None else records.get(_sought(said.place))
    examined = None if record is None else examination.examine(record, rules, said.recorded_at)
    payload = None if examined is None else _payload(leaf, said, examined)
    # A record that is not the one of the leaf tells nothing of it.
    trusted = None if payload is None else examined
    is_event = said.kind is receipt.Kind.EVENT
    order = trusted.order if is_event and trusted is not None else None
    return _Part(
        number=leaf.number,
        said=said,
        payload=payload,
        gone=said.commitment is not None and payload is None,
        first=_first(leaf.number, said, trusted) if is_event else None,
        hold=erasing.hold_change(order, leaf.number) if isinstance(order, erasing.Hold) else None,
    )


def _holds(parts: Sequence[_Part], holds: recovered_holds.Holds) -> Iterator[ledger.HoldChange]:
    """The rows of legal holds that these leaves account for. Raises Unrecoverable."""
    for part in parts:
        if part.hold is not None:
            holds.order(part.hold)
            yield part.hold
        elif part.gone and (order := recovered_holds.nameless(part.number, part.said)) is not None:
            holds.nameless(order)
        elif part.said.kind is receipt.Kind.ERASURE:
            try:
                yield from holds.erased(part.number)
            except recovered_holds.Contradiction as error:
                raise Unrecoverable(str(error)) from error


def _first(
    number: int, said: receipt.Receipt, examined: examination.Examined | None
) -> tuple[ledger.Identity, ledger.Known]:
    """The id of an event with its digest, which is not known where the payload is gone. Raises Unrecoverable."""
    identity = _identity(number, said, None if examined is None else examined.identity)
    value = None if examined is None else examined.record.value
    return identity, (number, None if value is None else hashlib.sha256(value).digest())


def _sought(place: receipt.Place) -> Sought:
    return Sought(stream.TopicPartition(place.topic, place.partition), place.offset)


def _payload(leaf: Published, said: receipt.Receipt, examined: examination.Examined) -> ledger.Payload | None:
    """What lies beside a leaf, if the record's value and headers are what it commits to."""
    record, salt = examined.record, leaf.salt
    # Whatever this version takes for poison: what was refused then kept all its headers.
    kept = examination.all_kept(record) if said.kind is receipt.Kind.POISON else examined.kept
    if salt is None or receipt.key(record.key) != said.key:
        return None
    right = receipt.is_of(said, salt, record.value) and receipt.fits(salt, kept)
    return (leaf.number, salt, record.value, kept) if right else None


def _identity(number: int, said: receipt.Receipt, examined: ledger.Identity | None) -> ledger.Identity:
    """The id of an event, from its receipt; from its record where that is too long to stand there."""
    attributes = said.attributes
    if attributes is not None and isinstance(attributes.source, str) and isinstance(attributes.id, str):
        return attributes.source, attributes.id
    if examined is None:
        raise Unrecoverable(f"leaf {number}: its source is too long to stand in its receipt, and its record is gone")
    return examined


def _moved(
    leaves: Sequence[Published],
    said: Sequence[receipt.Receipt],
    positions: Mapping[stream.TopicPartition, ledger.Position],
    incarnations: Mapping[str, str],
    cluster: str,
) -> dict[stream.TopicPartition, ledger.Position]:
    """Where reading goes on behind these leaves.

    A topic's id stands in no leaf: while the epoch is that of the position before, so is the id; otherwise it is that
    of the topic that exists now, and the sequencer finds out by its records if it is another one.
    """
    moved: dict[stream.TopicPartition, ledger.Position] = {}
    for leaf, receipted in zip(leaves, said, strict=True):
        if receipted.place is None:
            continue
        where, _ = _sought(receipted.place)
        position = _position(leaf.number, receipted, receipted.place, cluster)
        before = moved.get(where, positions.get(where))
        same = before is not None and (before.epoch, before.cluster) == (position.epoch, position.cluster)
        incarnation = before.incarnation if same and before is not None else incarnations.get(where.topic, "")
        moved[where] = replace(position, incarnation=incarnation)
    return moved


def _position(leaf: int, said: receipt.Receipt, place: receipt.Place, cluster: str) -> ledger.Position:
    """Where reading goes on behind a leaf; in the Kafka `cluster` of today where the topic was recreated there."""
    if isinstance(said.about, receipt.Gap) and said.about.end is None:
        return ledger.Position(cluster=cluster, incarnation="", epoch=place.epoch + 1, next_offset=0, last_leaf=leaf)
    end = said.about.end if isinstance(said.about, receipt.Gap) else None
    return ledger.Position(
        cluster=place.cluster,
        incarnation="",
        epoch=place.epoch,
        next_offset=place.offset + 1 if end is None else end,
        last_leaf=leaf,
    )
