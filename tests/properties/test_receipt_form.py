"""The quick look at a receipt's form against the parser that builds one."""

import json

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model import canonical, receipt, receipt_form
from tests.properties.test_receipt import receipts

values = strategies.sampled_from(
    [
        None,
        0,
        1,
        -1,
        2**53,
        True,
        1.0,
        "",
        "x",
        "ü",
        "event",
        "gap",
        [],
        {},
        {"leaf": 1},
        {"len": 1, "sha256": "0" * 64},
    ]
)


def accepted(look, data):
    try:
        look(data)
    except receipt.Malformed:
        return False
    return True


@hypothesis.given(receipts())
def test_every_receipt_has_the_form(given):
    """What is written is taken, with the time that it was recorded at."""
    assert receipt_form.members(receipt.encode(given))["recorded_at"] == given.recorded_at


@hypothesis.given(receipts(), strategies.data())
def test_it_takes_nothing_that_the_parser_refuses(given, data):
    """Members changed, removed, added, at any depth: whatever passes the quick look is a receipt."""
    fields = json.loads(receipt.encode(given))
    at = fields
    while True:
        name = data.draw(strategies.sampled_from(sorted(at)) | strategies.just("more"))
        if isinstance(at.get(name), dict) and at[name] and data.draw(strategies.booleans()):
            at = at[name]
            continue
        if name in at and data.draw(strategies.booleans()):
            del at[name]
        else:
            at[name] = data.draw(values)
        break
    changed = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if accepted(receipt_form.members, changed):
        assert accepted(receipt.parse, changed)


@hypothesis.given(receipts(), strategies.data())
def test_a_changed_byte_is_judged_alike(given, data):
    """One byte is another one: taken by both or by the parser alone."""
    raw = bytearray(receipt.encode(given))
    raw[data.draw(strategies.integers(0, len(raw) - 1))] = data.draw(strategies.integers(0, 255))
    if accepted(receipt_form.members, bytes(raw)):
        assert accepted(receipt.parse, bytes(raw))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        canonical.encode({"v": 1}),
        b'{"v":1,"v":1}',
        b'{"v":' + b"[" * 400 + b"]" * 400 + b"}",
        receipt.encode(receipt.Receipt(kind=receipt.Kind.EVENT, recorded_at=1)).replace(b'"event"', b"{}"),
        receipt.encode(receipt.Receipt(kind=receipt.Kind.EVENT, recorded_at=1)).replace(b'"event"', b"[]"),
    ],
)
def test_what_is_no_receipt_is_refused(data):
    """Other JSON, and no JSON."""
    assert not accepted(receipt_form.members, data)


def test_spellings_are_refused():
    """The same value with a space, an escape or a key twice."""
    whole = receipt.encode(receipt.Receipt(kind=receipt.Kind.EVENT, recorded_at=1, key="k"))
    for changed in (
        whole.replace(b'"v":1', b'"v": 1'),
        whole.replace(b'"k"', b'"\\u006b"'),
        whole.replace(b'"v":1', b'"v":1,"v":1'),
        whole + b"\n",
        whole.replace(b'"recorded_at":1', b'"recorded_at":1.0'),
        whole.replace(b'"v":1', b'"v":true'),
    ):
        assert changed != whole
        assert not accepted(receipt_form.members, changed)
