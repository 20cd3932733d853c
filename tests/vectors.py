"""Third-party conformance vectors, read where they lie; absent, the tests that need them are skipped by name."""

import functools
import json
import os
import pathlib
from typing import Any

import pytest

ROOT = pathlib.Path(os.environ.get("DECKLOG_VECTORS", pathlib.Path(__file__).parents[2] / "shared" / "vectors"))


@functools.cache
def _ledger() -> tuple[dict[str, Any], ...]:
    index = ROOT / "ledger" / "index.jsonl"
    if not index.exists():
        return ()
    with index.open() as lines:
        return tuple(json.loads(line) for line in lines)


def ledger(kind: str) -> list[Any]:
    """The vectors of one kind as parameters, each under its own id; one skipped parameter where there are none."""
    found = [pytest.param(vector, id=vector["id"]) for vector in _ledger() if vector["kind"] == kind]
    reason = f"no third-party vectors in {ROOT}: set DECKLOG_VECTORS to their folder"
    skip = pytest.mark.skipif("not os.environ.get('DECKLOG_REQUIRE_VECTORS')", reason=reason)
    return found or [pytest.param(None, id=f"no-vectors-{kind}", marks=skip)]


def ledger_file(name: str) -> bytes:
    """A file a vector refers to."""
    return (ROOT / "ledger" / name).read_bytes()
