"""From stored bytes to leaves: exact for whoever shows them, without NULs for the tables."""

import orjson

from decklog.events.v1 import drift_pb2, subject_pb2
from decklog.model import events
from services.audit.core import leaves


def stored(message: drift_pb2.DriftObserved, key: str = "dev/shop") -> tuple[bytes, bytes]:
    """Receipt and payload of an event."""
    ce = {
        "id": "01a216c7-599d-8bf1-997f-098957076d80",
        "source": "/decklog/i/reconcile/dev",
        "subject": "dev/shop",
        "time": "2026-11-23T06:00:00.000007Z",
        "type": "dev.decklog.v1.DriftObserved",
    }
    return orjson.dumps(
        {"about": None, "ce": ce, "kafka": None, "key": key, "kind": "event", "recorded_at": 5}
    ), events.encode(message)


def test_every_nul_is_replaced_for_the_tables_alone() -> None:
    """In the key, in texts at any depth, in lists of texts, and in JSON that folds read."""
    said = drift_pb2.DriftObserved(
        episode="a\0b",
        patch=b'[{"path":"/\\u0000","op":"\\\\u0000"}]',
        managers=[subject_pb2.FieldManager(manager="\0", fields=["/x", "/\0"])],
    )
    receipt, value = stored(said, "dev/sh\0p")
    leaf = leaves.read_storable(3, receipt, value)
    clean = leaf.message
    assert isinstance(clean, drift_pb2.DriftObserved)
    assert (leaf.key, clean.episode) == ("dev/sh\ufffdp", "a\ufffdb")
    assert (clean.managers[0].manager, list(clean.managers[0].fields)) == ("\ufffd", ["/x", "/\ufffd"])
    assert orjson.loads(clean.patch) == [{"path": "/\ufffd", "op": "\\u0000"}]
    assert leaves.read(3, receipt, value).message == said


def test_bytes_that_are_no_json_stay_for_the_fold_to_refuse() -> None:
    """A field that must hold JSON and does not is named where it is folded."""
    said = drift_pb2.DriftObserved(episode="\0", patch=b"not json")
    assert leaves.read_storable(3, *stored(said)).message.patch == b"not json"  # type: ignore[union-attr]


def test_an_erased_event_keeps_what_its_receipt_says() -> None:
    """Who said what kind of thing when; not what."""
    receipt, _ = stored(drift_pb2.DriftObserved())
    leaf = leaves.read(3, receipt, None)
    assert (leaf.erased, leaf.source, leaf.time_us) == (True, "/decklog/i/reconcile/dev", 1_795_413_600_000_007)
