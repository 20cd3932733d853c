"""Erasures and rotations in a forged log: each was ordered by the event right before it, or is named."""

import pytest

from decklog.events.v1 import control_pb2
from decklog.model import payload_file, receipt
from decklog.model.tlog import keys, policy
from decklog.verifier import log, source
from tests import log_files

TRUSTED = policy.of_keys([log_files.SIGNER.verifier])
SIZE = 600
NEW = keys.from_pem(keys.new_pem(b"n" * 32), log_files.SIGNER.name)
VKEY, OLD_VKEY = str(NEW.verifier), str(log_files.SIGNER.verifier)
NONE = payload_file.encode(None, None, None, committed=False)


def erased(number, *ranges):
    about = receipt.Erasure(ranges or ((2, 4),), "art. 17")
    recorded_at = 1_700_000_000_000_000 + number
    return receipt.encode(receipt.Receipt(kind=receipt.Kind.ERASURE, recorded_at=recorded_at, about=about))


def rotated(number):
    return log_files.rotation(number, NEW, log_files.SIGNER)


def to_erase(*ranges):
    leaves = [control_pb2.LeafRange(first=first, end=end) for first, end in ranges or ((2, 4),)]
    return control_pb2.ErasureRequested(reason="art. 17", leaves=leaves)


def to_rotate(vkey=VKEY, beside=OLD_VKEY):
    return control_pb2.KeyRotationRequested(vkey=vkey, beside=beside)


ERASURE, ROTATION = (erased, to_erase), (rotated, to_rotate)
WHERE = pytest.mark.parametrize("leaf", [1, 255, 256, 300, 512, SIZE - 1])
"""Also where the order is the last leaf of the bundle before."""


def told(folder, changed, records=None, **wanted):
    """What is found in a log that has these leaves in the place of others, with payloads beside it if there are any."""
    entries = log_files.receipts(SIZE)
    for leaf, entry in changed.items():
        entries[leaf] = entry
    log_files.write(folder, entries, signers=lambda _size: [log_files.SIGNER, NEW])
    given = source.Folder(folder)
    if records is not None:
        kept = log_files.payload_records(SIZE)
        for leaf, record in records.items():
            kept[leaf] = record
        log_files.write_payloads(folder, kept)
        wanted["payloads"] = given.open
    return [str(one) for one in log.verify(given, TRUSTED, log.Wanted(**wanted)).findings]


@WHERE
@pytest.mark.parametrize(("done", "order"), [ERASURE, ROTATION], ids=["erasure", "rotation"])
def test_what_was_ordered_is_no_finding(tmp_path, leaf, done, order):
    """By receipts alone, and with what the payload orders."""
    changed = {leaf - 1: log_files.order(leaf - 1, order()), leaf: done(leaf)}
    assert told(tmp_path, changed) == []
    assert told(tmp_path, changed, {leaf - 1: log_files.order_record(leaf - 1, order()), leaf: NONE}) == []


@pytest.mark.parametrize("leaf", [0, 1, 256, 300])
@pytest.mark.parametrize(
    ("done", "name"), [(erased, "ErasureRequested"), (rotated, "KeyRotationRequested")], ids=["erasure", "rotation"]
)
def test_what_nobody_ordered_is_named(tmp_path, leaf, done, name):
    """Whoever has the key of the log and the passwords of audit can append the leaf alone: leaf, file and bytes."""
    (found,) = told(tmp_path, {leaf: done(leaf)})
    assert found.startswith(f"leaf {leaf}: tile/entries/00{leaf // 256} bytes ")
    assert found.endswith(f"no {name} stands before it: nobody ordered it")


def _as(**changed):
    """The order, as something else."""
    return lambda entry: receipt.encode(receipt.parse(entry)._replace(**changed))


@pytest.mark.parametrize(
    "before",
    [
        lambda _: log_files.order(299, to_rotate()),
        lambda _: log_files.order(299, control_pb2.LegalHoldPlaced(hold="case 7")),
        _as(kind=receipt.Kind.DUPLICATE, about=receipt.Original(3)),
        _as(kind=receipt.Kind.POISON, about=receipt.Poison("not audit's to say")),
        _as(place=receipt.Place("kafka", "decklog.live.v1", 0, 0, 1)),
        _as(place=None),
    ],
    ids=["of a rotation", "no order", "again", "refused", "on another topic", "not from Kafka"],
)
def test_what_is_no_order_of_an_erasure_orders_none(tmp_path, before):
    """It must be an event, of that type, on the topic on which audit says such things, right before the leaf."""
    order = log_files.order(299, to_erase())
    assert told(tmp_path, {299: order, 300: erased(300)}) == []
    for changed in ({299: before(order), 300: erased(300)}, {299: order, 301: erased(301)}):
        # That leaf 3 is another event is a finding of its own.
        (found,) = (one for one in told(tmp_path, changed) if "no event with its id" not in one)
        assert "no ErasureRequested stands before it" in found


@WHERE
@pytest.mark.parametrize(
    ("done", "order"),
    [
        (erased, to_erase((2, 5))),
        (erased, to_erase((2, 4), (5, 6))),
        (rotated, to_rotate(vkey=OLD_VKEY)),
        (rotated, to_rotate(beside="")),
    ],
    ids=["more leaves", "other leaves", "another key", "no overlap"],
)
def test_what_was_ordered_otherwise_is_named_where_payloads_tell(tmp_path, leaf, done, order):
    """Receipts alone say of which kind the order was; its payload says which leaves, or which key."""
    changed = {leaf - 1: log_files.order(leaf - 1, order), leaf: done(leaf)}
    assert told(tmp_path, changed) == []
    (found,) = told(tmp_path, changed, {leaf - 1: log_files.order_record(leaf - 1, order), leaf: NONE})
    assert found.startswith(f"leaf {leaf}: tile/entries/")
    assert found.endswith(f"the {order.DESCRIPTOR.name} before it orders something else")


def test_an_order_that_was_erased_itself_is_one_by_its_receipt(tmp_path):
    """What it ordered nobody can tell any more."""
    gone = payload_file.encode(None, None, None, committed=True)
    changed = {299: log_files.order(299, to_erase((7, 8))), 300: erased(300, (2, 4))}
    changed |= {310: log_files.order(310, to_erase((299, 300))), 311: erased(311, (299, 300))}
    records = {299: gone, 300: NONE, 310: log_files.order_record(310, to_erase((299, 300))), 311: NONE}
    assert told(tmp_path, changed, records) == []


def test_of_what_stands_before_the_first_leaf_nothing_is_said(tmp_path):
    """A pruned log is verified from a leaf on; and where no receipt is read none is asked for."""
    changed = {256: erased(256), 300: erased(300)}
    assert [one.partition(":")[0] for one in told(tmp_path, changed)] == ["leaf 256", "leaf 300"]
    assert [one.partition(":")[0] for one in told(tmp_path, changed, first=256)] == ["leaf 300"]
    assert told(tmp_path, changed, receipts=False) == []


@pytest.mark.parametrize("leaf", [256, 300])
def test_an_order_that_is_damaged_is_the_only_finding(tmp_path, leaf):
    """It is not the log's entry, so it says nothing of the log: one wrong byte is one finding."""
    log_files.write(tmp_path, [*log_files.receipts(leaf - 1), log_files.order(leaf - 1, to_erase()), erased(leaf)])
    path = next(path for path in tmp_path.rglob("*") if path.is_file() and b"ErasureRequested" in path.read_bytes())
    path.write_bytes(path.read_bytes().replace(b"ErasureRequested", b"ErasureRequesteD"))
    (found,) = [str(one) for one in log.verify(source.Folder(tmp_path), TRUSTED, log.Wanted()).findings]
    assert found.startswith(f"leaf {leaf - 1}: ")


PLACED, RELEASED = control_pb2.LegalHoldPlaced, control_pb2.LegalHoldReleased
GONE = payload_file.encode(None, None, None, committed=True)


@pytest.mark.parametrize(
    ("holds", "gone", "standing"),
    [
        ({10: PLACED(hold="case 7")}, (), "case 7"),
        ({10: PLACED(hold="case 7"), 298: PLACED(hold="case 8")}, (), "case 7, case 8"),
        ({10: PLACED(hold="case 7"), 20: RELEASED(hold="case 8")}, (), "case 7"),
        ({10: PLACED(hold="case 7"), 20: RELEASED(hold="case 7"), 30: PLACED(hold="case 7")}, (), "case 7"),
        ({10: PLACED(hold="case 7"), 20: RELEASED(hold="case 7")}, (), ""),
        ({10: PLACED(hold="case 7"), 20: RELEASED(hold="case 8")}, (20,), ""),
        ({10: PLACED(hold="case 7")}, (10,), ""),
        ({301: PLACED(hold="case 7")}, (), ""),
    ],
    ids=[
        "one", "two", "another one released", "placed again", "released", "who knows which was released",
        "who knows which was placed", "behind it",
    ],
)  # fmt: skip
def test_what_was_erased_while_a_legal_hold_stood_is_named_where_payloads_tell(tmp_path, holds, gone, standing):
    """Whoever can append leaves need not ask whether a hold forbids it; whoever verifies them does."""
    erases = to_erase(*((leaf, leaf + 1) for leaf in gone or (2,)))
    orders = holds | {299: erases}
    changed = {leaf: log_files.order(leaf, order) for leaf, order in orders.items()}
    about = tuple((one.first, one.end) for one in erases.leaves)
    records = {leaf: log_files.order_record(leaf, order) for leaf, order in orders.items()}
    records |= {300: NONE} | dict.fromkeys(gone, GONE)
    found = told(tmp_path, changed | {300: erased(300, *about)}, records)
    named = [one for one in found if "legal hold" in one]
    assert [one.rpartition(": ")[2] for one in named] == ([standing] if standing else [])
    assert all(one.startswith("leaf 300: tile/entries/001 bytes ") for one in named)
    assert told(tmp_path, changed | {300: erased(300, *about)}) == []
