"""Promise 6, where it is kept: whatever is about to be recorded of an object or an error is masked before."""

import base64

import pytest

from decklog.model import digest, masking, objects

PLANTED = "pl4nted-s3cret-value"
ENCODED = base64.b64encode(PLANTED.encode()).decode()
MASK = masking.Masking(masking.MaskingKey(bytes(range(32))))


def manifest(kind: str, **parts: object) -> objects.KubeObject:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, **parts}


PLACES = [
    manifest("Secret", data={"anything": ENCODED}),
    manifest("Secret", stringData={"anything": PLANTED}),
    manifest("ConfigMap", data={"db-password": PLANTED}),
    manifest("ConfigMap", data={"db-password": {"nested": [PLANTED]}}),
    manifest("ConfigMap", data={"nested": {"db-password": PLANTED}}),
    manifest("Pod", spec={"params": [{"name": "db-password", "value": [PLANTED]}]}),
    manifest("ConfigMap", data={"url": f"postgres://shop:{PLANTED}@db/shop"}),
    manifest("Pod", spec={"containers": [{"name": "web", "env": [{"name": "API_TOKEN", "value": PLANTED}]}]}),
    {
        **manifest("ConfigMap"),
        "metadata": {
            "name": "web",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": f'{{"data":{{"x":"{PLANTED}"}}}}'},
        },
    },
]


@pytest.mark.parametrize("obj", PLACES)
def test_no_form_of_the_secret_is_in_what_is_recorded(obj: objects.KubeObject) -> None:
    """Not raw and not in base64, wherever Kubernetes lets people put one."""
    recorded = digest.canonical(MASK(obj))
    assert PLANTED.encode() not in recorded, "a secret was recorded as it is"
    assert ENCODED.encode() not in recorded, "a secret was recorded in base64"
    assert b"masked:" in recorded


def test_no_error_repeats_a_secret() -> None:
    """An API server quotes what it refuses; what is told of it does not."""
    redactor = MASK.redactor(PLACES)
    told = redactor.redact(f'Secret "web" is invalid: data[x]: Invalid value: "{PLANTED}" ({ENCODED})')
    assert PLANTED not in told, "an error repeats a secret"
    assert ENCODED not in told, "an error repeats a secret in base64"


def test_equal_secrets_stay_recognisably_equal() -> None:
    """Masked values can be compared: the same secret twice is one masked text, another secret another."""
    one, same, other = (
        MASK(manifest("Secret", stringData={"x": value})) for value in (PLANTED, PLANTED, PLANTED + "2")
    )
    assert one == same
    assert one != other
