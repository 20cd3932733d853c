"""Third-party conformance vectors, read where they lie; absent, the tests that need them are skipped by name."""

import functools
import json
import os
import pathlib
from typing import Any

import pytest

ROOT = pathlib.Path(os.environ.get("DECKLOG_VECTORS", pathlib.Path(__file__).parents[2] / "shared" / "vectors"))


@functools.cache
def _index(folder: str) -> tuple[dict[str, Any], ...]:
    index = ROOT / folder / "index.jsonl"
    if not index.exists():
        return ()
    with index.open() as lines:
        return tuple(json.loads(line) for line in lines)


def _parameters(found: list[Any], name: str) -> list[Any]:
    reason = f"no third-party vectors in {ROOT}: set DECKLOG_VECTORS to their folder"
    skip = pytest.mark.skipif("not os.environ.get('DECKLOG_REQUIRE_VECTORS')", reason=reason)
    return found or [pytest.param(None, id=f"no-vectors-{name}", marks=skip)]


def ledger(kind: str) -> list[Any]:
    """The vectors of one kind as parameters, each under its own id; one skipped parameter where there are none."""
    return _parameters([pytest.param(one, id=one["id"]) for one in _index("ledger") if one["kind"] == kind], kind)


def every_ledger() -> tuple[dict[str, Any], ...]:
    """All vectors of the ledger; none where the folder is absent."""
    return _index("ledger")


def health(suite: str) -> list[Any]:
    """The objects of one health suite with the verdict they should get, as parameters, each under its file's name."""
    found = [pytest.param(one, id=one["file"]) for one in _index("health") if one["suite"] == suite]
    return _parameters(found, suite)


def health_file(name: str) -> str:
    """The manifest that a health vector refers to."""
    return (ROOT / "health" / name).read_text()


def ledger_file(name: str) -> bytes:
    """A file a vector refers to."""
    return (ROOT / "ledger" / name).read_bytes()
