"""A published log in a folder, made by audit's own core without a database: for tests and measurements of verifiers."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
from google.protobuf.message import Message

from decklog.events.v1 import control_pb2
from decklog.model import events, headers, merkle, payload_file, receipt
from decklog.model.tlog import checkpoint, keys, tiles
from services.audit.core import integration
from tests import trees

SIGNER = keys.from_pem(keys.new_pem(b"k" * 32), "log.example/i")
VKEY = str(SIGNER.verifier)
KNOWN = (3, 256, 700)
"""Sizes at which checkpoints were signed before, as far as the log goes."""
HOP = headers.encode([("traceparent", b"00-12345678901234567890123456789012-1234567890123456-01")])
"""The headers that are kept beside each payload."""


def receipts(count: int, first: int = 0) -> list[bytes]:
    """Receipts as the sequencer writes them."""
    return [_receipt(number) for number in range(first, first + count)]


def payload(number: int, kept: bytes = HOP) -> tuple[bytes, bytes]:
    """Salt and value of a leaf."""
    return receipt.salt(hashlib.sha256(b"salt %d" % number).digest()[: receipt.DRAWN_BYTES], kept), b"%0500d" % number


def payload_records(count: int, first: int = 0) -> list[bytes]:
    """The payloads of leaves as payload files hold them."""
    return [payload_file.encode(*payload(number), HOP, committed=True) for number in range(first, first + count)]


def write_payloads(folder: Path, records: Sequence[bytes]) -> None:
    """The payload files of a log of as many leaves."""
    for group in tiles.bundles_of_size(len(records)):
        first = group.number * tiles.WIDTH
        put(folder, payload_file.path(group), b"".join(records[first : first + group.width]))


def _receipt(number: int) -> bytes:
    return receipt.encode(
        receipt.Receipt(
            kind=receipt.Kind.EVENT,
            recorded_at=1_700_000_000_000_000 + number,
            attributes=receipt.Attributes(
                f"00000000-0000-8000-8000-{number:012x}",
                "/decklog/00000000-0000-8000-8000-000000000000/reconcile/dev",
                "dev.decklog.v1.ObjectChanged",
                "2026-11-26T07:00:00.000000Z",
                f"dev/shop/ConfigMap/{number}",
                sequence=number,
            ),
            key="dev/shop",
            commitment=receipt.commitment(*payload(number)),
            length=len(payload(number)[1]),
            place=receipt.Place("kafka", "decklog.live.v1", 0, number % 12, number // 12),
        )
    )


def order(number: int, message: Message) -> bytes:
    """The receipt of an event that orders something, as audit says it."""
    value = message.SerializeToString()
    said = receipt.parse(_receipt(number))
    assert said.attributes is not None
    return receipt.encode(
        said._replace(
            attributes=said.attributes._replace(type=events.kind_of(message).ce_type),
            commitment=receipt.commitment(payload(number)[0], value),
            length=len(value),
            place=receipt.Place("kafka", "decklog.control.v1", 0, 0, number),
        )
    )


def order_record(number: int, message: Message) -> bytes:
    """The payload of such an event, as payload files hold it."""
    return payload_file.encode(payload(number)[0], message.SerializeToString(), HOP, committed=True)


def rotate(entries: list[bytes], number: int, *rotated: keys.SigningKey) -> None:
    """Have two of the entries order a rotation, and be it: that leaf, and the one before."""
    vkey, *beside = (str(one.verifier) for one in rotated)
    order_of = control_pb2.KeyRotationRequested(vkey=vkey, beside="".join(beside))
    entries[number - 1 : number + 1] = order(number - 1, order_of), rotation(number, *rotated)


def rotation(number: int, *rotated: keys.SigningKey) -> bytes:
    """The receipt of a leaf that rotates the key: to the first of these, beside the second one."""
    about = receipt.Rotation(*(str(one.verifier) for one in rotated))
    return receipt.encode(
        receipt.Receipt(kind=receipt.Kind.ROTATION, recorded_at=1_700_000_000_000_000 + number, about=about)
    )


def write(
    folder: Path,
    entries: Sequence[bytes],
    *,
    signer: keys.SigningKey = SIGNER,
    known: Sequence[int] = KNOWN,
    signers: Callable[[int], Sequence[keys.SigningKey]] | None = None,
) -> None:
    """The log of these entries, with the checkpoints that were signed at the `known` sizes.

    `signers` says who signs at a size, where that is not one `signer` all the time.
    """
    reached, files = integration.integrate(
        integration.NOTHING.edge, [integration.Entry(number, data, None) for number, data in enumerate(entries)]
    )
    for file in (*files, *integration.partial(reached)):
        if not file.private:
            put(folder, file.path.removeprefix("public/"), file.data)
    hashes = [merkle.leaf_hash(entry) for entry in entries]
    sizes = [size for size in known if size < len(entries)]
    by = signers or (lambda _size: [signer])
    signed = {size: sign(hashes[:size], *by(size)) for size in (*sizes, len(entries))}
    lines = [orjson.dumps({"size": size, "note": data.decode()}) + b"\n" for size, data in signed.items()]
    put(folder, "checkpoints.jsonl", b"".join(lines))
    put(folder, "checkpoint", signed[len(entries)])


def sign(hashes: Sequence[bytes], *signers: keys.SigningKey) -> bytes:
    """The signed checkpoint of a tree; by `SIGNER`, if nobody is named."""
    by = signers or (SIGNER,)
    return checkpoint.sign(checkpoint.Checkpoint(by[0].name, len(hashes), trees.root_of(hashes)), by)


def put(folder: Path, path: str, data: bytes) -> None:
    """Write a file of the log."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def write_large(folder: Path, count: int, *, payloads: bool = False) -> None:
    """The same log of any size, made in bounded memory, with its newest checkpoint alone."""
    here, step = integration.NOTHING.edge, 256 * 64
    for first in range(0, count, step):
        made = receipts(min(step, count - first), first)
        reached, files = integration.integrate(
            here, [integration.Entry(first + number, data, None) for number, data in enumerate(made)]
        )
        here = reached.edge
        for file in (*files, *(integration.partial(reached) if first + step >= count else ())):
            if not file.private:
                put(folder, file.path.removeprefix("public/"), file.data)
        for start in range(first, min(first + step, count), tiles.WIDTH) if payloads else ():
            group = tiles.bundle_of(start, count)
            put(folder, payload_file.path(group), b"".join(payload_records(group.width, start)))
    tree = checkpoint.Checkpoint(SIGNER.name, count, reached.tree(count).root())
    put(folder, "checkpoint", checkpoint.sign(tree, [SIGNER]))
