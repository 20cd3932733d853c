"""No third-party vector of the ledger is passed over in silence."""

import collections
import pathlib

import pytest

from tests import vectors

COUNTED = {
    "checkpoint.body.marshal": 3,
    "checkpoint.body.unmarshal": 18,
    "checkpoint.open": 2,
    "cloudevents.kafka.parse": 3,
    "cosignature.timestamp": 3,
    "cosignature.verify": 3,
    "note.open": 19,
    "note.sign": 2,
    "rfc6962.all_nodes": 1,
    "rfc6962.consistency.verify": 98,
    "rfc6962.empty_root": 1,
    "rfc6962.inclusion.verify": 98,
    "rfc6962.leaf_hash": 2,
    "rfc6962.node_hash": 1,
    "rfc6962.tree_root": 9,
    "rfc8785.canonicalize": 6,
    "tile.entries_path": 4,
    "tile.entries_path_for_index": 7,
    "tile.node_coords": 5,
    "tile.parse": 19,
    "tile.path": 6,
    "tile.set_for_size": 2,
    "tlog_proof.marshal": 3,
    "tlog_proof.unmarshal": 8,
    "w3c.traceparent.parse": 26,
}
"""Kinds and cases as they were delivered."""

TESTS = pathlib.Path(__file__).parents[1]


def test_every_kind_and_case_is_there():
    """The index holds the 349 cases that we know, no kind more and none less."""
    found = collections.Counter(one["kind"] for one in vectors.every_ledger())
    if not found:
        pytest.skip(f"no third-party vectors in {vectors.ROOT}")
    assert found == COUNTED
    assert found.total() == 349


def test_every_kind_is_run_by_exactly_one_test():
    """For each kind one test takes all of its cases as parameters; what it refuses on purpose it names."""
    sources = "".join(path.read_text() for folder in ("unit", "properties") for path in (TESTS / folder).rglob("*.py"))
    assert {kind: sources.count(f'vectors.ledger("{kind}")') for kind in COUNTED} == dict.fromkeys(COUNTED, 1)
