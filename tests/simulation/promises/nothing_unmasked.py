"""Promise 6: a planted secret is nowhere but in Git and in the cluster: in no record, leaf, log line or error."""

import base64
from collections.abc import Iterable, Iterator

from tests.simulation import history

PROMISE = "no secret leaves unmasked"


def check(
    entries: tuple[history.Entry, ...], *, secrets: Iterable[bytes], texts: Iterable[tuple[str, bytes]]
) -> list[history.Violation]:
    """Every place where a secret stands, raw or in base64. `texts`: what else left, by name (logs, ledger, answers)."""
    forms = [form for secret in secrets for form in _forms(secret)]
    return list(_violations(entries, forms, texts))


def _violations(
    entries: tuple[history.Entry, ...], forms: list[bytes], texts: Iterable[tuple[str, bytes]]
) -> Iterator[history.Violation]:
    for at, entry in history.stored(entries):
        record = entry.record
        parts = [record.key or b"", record.value or b"", *(name.encode() + value for name, value in record.headers)]
        if any(form in part for form in forms for part in parts):
            spot = f"{record.topic}/{record.partition}@{record.offset}"
            yield history.Violation(PROMISE, f"{entry.by} let a secret into {spot}", at)
    for name, text in texts:
        if any(form in text for form in forms):
            yield history.Violation(PROMISE, f"a secret stands in {name}")


def _forms(secret: bytes) -> list[bytes]:
    """Raw and base64, without the base64 digits at either end that depend on the neighbours."""
    shifted = [base64.b64encode(b"\0" * shift + secret)[(4 if shift else 0) : -4] for shift in range(3)]
    return [secret, *(form for form in shifted if len(form) >= 8)]
