"""Receipts: canonical, strict, small."""

import hashlib
import json

import hypothesis
import pytest
import rfc8785
from hypothesis import strategies

from decklog.model import headers, receipt

integers = strategies.integers(0, 2**53 - 1)
words = strategies.text(max_size=30) | strategies.text(min_size=300, max_size=1200)
texts = words.map(receipt.text)
attributes = strategies.builds(
    receipt.Attributes,
    id=texts,
    source=texts,
    type=texts,
    time=strategies.just("2023-11-14T22:13:20.123456Z"),
    subject=texts,
    dataschema=strategies.none() | texts,
    sequence=strategies.none() | integers,
    traceparent=strategies.none() | strategies.just("00-12345678901234567890123456789012-1234567890123456-01"),
)
abouts = strategies.one_of(
    strategies.tuples(
        strategies.sampled_from([receipt.Kind.DUPLICATE, receipt.Kind.CONFLICT]),
        strategies.builds(receipt.Original, integers),
    ),
    strategies.tuples(
        strategies.just(receipt.Kind.GAP),
        strategies.builds(receipt.Gap, integers, strategies.none() | integers, strategies.text(max_size=9)),
    ),
    strategies.tuples(
        strategies.just(receipt.Kind.POISON), strategies.builds(receipt.Poison, strategies.text(max_size=9))
    ),
    strategies.tuples(strategies.just(receipt.Kind.EVENT), strategies.none()),
    strategies.tuples(
        strategies.just(receipt.Kind.ERASURE),
        strategies.builds(
            receipt.Erasure,
            strategies.lists(strategies.tuples(integers, integers), max_size=3).map(tuple),
            strategies.text(max_size=9),
        ),
    ),
    strategies.tuples(
        strategies.just(receipt.Kind.ROTATION), strategies.builds(receipt.Rotation, strategies.text(max_size=9))
    ),
)


@strategies.composite
def receipts(draw):
    kind, about = draw(abouts)
    return receipt.Receipt(
        kind=kind,
        about=about,
        recorded_at=draw(integers),
        length=draw(integers),
        attributes=draw(strategies.none() | attributes),
        key=draw(strategies.none() | strategies.binary(max_size=1200).map(receipt.key)),
        commitment=draw(strategies.none() | strategies.binary(min_size=32, max_size=32)),
        place=draw(
            strategies.none()
            | strategies.builds(
                receipt.Place, strategies.text(max_size=9), strategies.text(max_size=9), integers, integers, integers
            )
        ),
    )


@hypothesis.given(receipts())
def test_the_template_writes_canonical_json(given):
    """Every receipt is byte for byte what RFC 8785 makes of its value, and stays within an entry's size."""
    encoded = receipt.encode(given)
    assert encoded == rfc8785.dumps(json.loads(encoded))
    assert len(encoded) <= receipt.MAX_RECEIPT_BYTES


@hypothesis.given(receipts())
def test_a_receipt_is_read_back(given):
    """Parsing gives the same receipt."""
    assert receipt.parse(receipt.encode(given)) == given


EXAMPLE = receipt.encode(
    receipt.Receipt(
        kind=receipt.Kind.DUPLICATE,
        recorded_at=5,
        about=receipt.Original(3),
        place=receipt.Place("c", "t", 0, 1, 2),
        key="k",
    )
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":1.0'),
        (b'"v":1}', b'"v":1,"x":0}'),
        (b'{"about"', b'{ "about"'),
        (b'"key":"k",', b""),
        (b'"key":"k"', b'"key":7'),
        (b'"duplicate"', b'"event"'),
        (b'"duplicate"', b'"other"'),
        (b'"leaf":3', b'"leaf":3,"x":1'),
        (b'"leaf":3', b'"leaf":"3"'),
        (b'"recorded_at":5', b'"recorded_at":true'),
        (b'"recorded_at":5', b'"recorded_at":9007199254740992'),
        (b'"epoch":0', b'"epoch":-0'),
        (b'"ce":null', b'"ce":{}'),
        (b"{", b"["),
    ],
)
def test_anything_else_is_refused(old, new):
    """Another version, another spelling, something more or less, a wrong type: not a receipt."""
    assert old in EXAMPLE
    with pytest.raises(receipt.Malformed):
        receipt.parse(EXAMPLE.replace(old, new, 1))


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{}", b"\xff", b"9" * 5000])
def test_bytes_that_are_no_object_are_refused(data):
    """Garbage is Malformed, whatever it is."""
    with pytest.raises(receipt.Malformed):
        receipt.parse(data)


def test_long_texts_stand_as_their_digest():
    """Over 1 KiB of UTF-8 an attribute is a digest that names what it stands for."""
    raw = ("é" * 600).encode()
    assert receipt.text("é" * 512) == "é" * 512
    assert receipt.text(raw.decode()) == receipt.Digest(hashlib.sha256(raw).hexdigest(), 1200)
    assert receipt.key(b"\xff") == receipt.Digest(hashlib.sha256(b"\xff").hexdigest(), 1)


def test_a_commitment_needs_its_salt():
    """Equal payloads under different salts commit to different values."""
    assert receipt.commitment(b"s" * 32, b"v") == hashlib.sha256(b"s" * 32 + b"v").digest()
    assert receipt.commitment(b"s" * 32, b"v") != receipt.commitment(b"t" * 32, b"v")


DRAWN = strategies.binary(min_size=receipt.DRAWN_BYTES, max_size=receipt.DRAWN_BYTES)
KEPT = strategies.lists(
    strategies.tuples(strategies.text(max_size=9), strategies.none() | strategies.binary(max_size=9))
)


@hypothesis.given(DRAWN, KEPT.map(headers.encode))
def test_a_salt_is_half_random_and_half_of_the_headers(drawn, kept):
    """As anybody computes it; no headers are the same whether they stand as nothing or as no bytes."""
    salt = receipt.salt(drawn, kept)
    assert salt == drawn + hashlib.sha256(drawn + kept).digest()[:16]
    assert len(salt) == receipt.SALT_BYTES
    assert receipt.fits(salt, kept)
    assert receipt.fits(receipt.salt(drawn, None), b"")
    assert receipt.fits(receipt.salt(drawn, b""), None)


@hypothesis.given(DRAWN, KEPT.filter(bool).map(headers.encode), strategies.data())
def test_a_salt_fits_no_other_headers(drawn, kept, data):
    """One bit of them, fewer bytes, one more, none at all; nor are they those of a salt with another bit, or cut."""
    salt = receipt.salt(drawn, kept)
    bit = data.draw(strategies.integers(0, 8 * len(kept) - 1))
    changed = (int.from_bytes(kept, "big") ^ 1 << bit).to_bytes(len(kept), "big")
    cut = data.draw(strategies.integers(0, len(kept) - 1))
    for others in (changed, kept[:cut], kept + b"\0", None):
        assert not receipt.fits(salt, others)
    bit = data.draw(strategies.integers(0, 8 * len(salt) - 1))
    assert not receipt.fits((int.from_bytes(salt, "big") ^ 1 << bit).to_bytes(len(salt), "big"), kept)
    for size in (0, receipt.DRAWN_BYTES, len(salt) - 1):
        assert not receipt.fits(salt[:size], kept)
