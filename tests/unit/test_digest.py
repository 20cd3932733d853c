"""The digest of an object's body, scheme j1."""

import json
import pathlib

import pytest

from decklog.model import digest
from tests import kube

FROZEN = json.loads((pathlib.Path(__file__).parents[1] / "golden" / "digest_j1.json").read_text())


@pytest.mark.parametrize("sample", FROZEN, ids=lambda sample: sample["name"])
def test_the_scheme_never_drifts(sample):
    """Bodies digested by any release have the digests that were recorded then."""
    assert digest.of(sample["body"]) == sample["digest"]
    assert digest.canonical(sample["body"]).decode() == sample["canonical"]


def test_the_order_of_keys_means_nothing_and_the_order_of_items_does():
    """Mappings are sets of fields; lists are not sets."""
    assert digest.of({"a": 1, "b": 2}) == digest.of({"b": 2, "a": 1})
    assert digest.of({"a": [1, 2]}) != digest.of({"a": [2, 1]})


def test_a_digest_of_masked_values_names_their_key():
    """Otherwise two keys' digests would look like a change."""
    masked = kube.MASK(kube.secret("a", p="cGFzcw=="))
    assert digest.of(masked).endswith(f":{kube.MASK.key.id}")
    assert digest.of(kube.config_map("a", p="q")).count(":") == 1


@pytest.mark.parametrize(
    ("left", "right", "equality"),
    [
        ("j1:aa", "j1:aa", digest.Equality.EQUAL),
        ("j1:aa", "j1:bb", digest.Equality.DIFFERENT),
        ("j1:aa:11111111", "j1:bb:11111111", digest.Equality.DIFFERENT),
        ("j1:aa:11111111", "j1:bb:22222222", digest.Equality.UNKNOWN),
        ("j1:aa", "j1:bb:22222222", digest.Equality.DIFFERENT),
        ("j1:aa", "j2:aa", digest.Equality.UNKNOWN),
    ],
)
def test_digests_under_different_keys_are_never_a_change(left, right, equality):
    """Unknown is said where nothing can be known."""
    assert digest.compare(left, right) is equality
