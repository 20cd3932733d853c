"""Masking, for all inputs that Hypothesis can think of."""

import base64
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from decklog.model import masking
from tests import kube

# Long enough that a chance hit among the digits of a digest means nothing.
secrets = st.binary(min_size=12, max_size=64)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=12, max_size=40)
leaves = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=10)
trees: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=10,
)


def _encoded(secret: bytes) -> str:
    return base64.b64encode(secret).decode()


@given(secrets, texts)
def test_no_secret_byte_survives(raw: bytes, text: str):
    """Neither raw nor encoded nor escaped, in any place that masking covers."""
    secret = kube.obj("v1", "Secret", "s", data={"a": _encoded(raw)}, stringData={"b": text})
    workload = kube.deployment(env=[{"name": "API_TOKEN", "value": text}])
    for masked in (kube.MASK(secret), kube.MASK(workload)):
        written = orjson.dumps(masked).decode()
        assert _encoded(raw) not in written
        assert orjson.dumps(text).decode()[1:-1] not in written


@given(secrets, secrets)
def test_equality_is_preserved_both_ways(left: bytes, right: bytes):
    """Masked values are equal exactly when the values are."""
    one, other = (kube.MASK(kube.secret("s", a=_encoded(raw)))["data"]["a"] for raw in (left, right))
    assert (one == other) == (left == right)


@given(st.sampled_from(["Secret", "ConfigMap", "Deployment", "Engine"]), trees, trees, trees)
def test_masking_is_idempotent_and_keeps_the_shape_of_anything(kind: str, data: Any, spec: Any, meta: Any):
    """Objects of any shape at all: nothing raises, and a second masking changes nothing."""
    body = {"apiVersion": "v1", "kind": kind, "metadata": meta, "data": data, "stringData": spec, "spec": spec}
    once = kube.MASK(body)
    assert kube.MASK(once) == once
    assert once.keys() == body.keys()


@given(texts, texts, texts)
def test_no_known_secret_survives_in_text(before: str, secret: str, after: str):
    """Whatever stands around it."""
    redactor = masking.Redactor(kube.MASK.key, {secret.encode()})
    assert secret not in redactor.redact(f"{before}\n{secret}\n{after}")
