"""Canonical JSON against the reference implementation and the RFC's own files."""

import json

import hypothesis
import pytest
import rfc8785
from hypothesis import strategies

from decklog.model import canonical
from tests import vectors

integers = strategies.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
scalars = strategies.none() | strategies.booleans() | integers | strategies.text()
keys = strategies.text(strategies.characters(max_codepoint=127))
OUTSIDE = {"jcs/french": "keys", "jcs/structures": "floats", "jcs/values": "floats", "jcs/weird": "keys"}
values = strategies.recursive(scalars, lambda inner: strategies.lists(inner) | strategies.dictionaries(keys, inner))


@hypothesis.given(values)
def test_equal_to_the_reference_inside_the_domain(value):
    """Byte for byte what `rfc8785` writes."""
    assert canonical.encode(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [1.0, 2**53, -(2**53), {"ü": 1}, {1: 2}, b"x", (1,), "\ud800", {"\ud800": 1}, [0.5]])
def test_outside_the_domain_is_refused(value):
    """Floats, inexact integers, other keys and lone surrogates have no canonical form here."""
    with pytest.raises(canonical.NotCanonical):
        canonical.encode(value)


@pytest.mark.parametrize("vector", vectors.ledger("rfc8785.canonicalize"))
def test_conformance(vector):
    """The published inputs come out as the reference writes them; those outside our domain are refused."""
    value = json.loads(vectors.ledger_file(vector["file"]))
    if vector["id"] in OUTSIDE:
        with pytest.raises(canonical.NotCanonical):
            canonical.encode(value)
    else:
        assert canonical.encode(value) == rfc8785.dumps(value)
