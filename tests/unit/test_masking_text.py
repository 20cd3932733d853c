"""Masking of free text: what others write about an object never carries its secrets."""

import base64

import pytest

from tests import kube

PASSWORD = "hunter2-hunter2"
ENCODED = base64.b64encode(PASSWORD.encode()).decode()
SECRET = kube.secret("db", password=ENCODED)
MASKED = kube.MASK.key.mask(PASSWORD.encode())


@pytest.mark.parametrize(
    "text",
    [
        f"raw {PASSWORD} inside",
        f"encoded {ENCODED} inside",
        f'json "{PASSWORD}"',
        f"-  password: {ENCODED}\n+  password: {ENCODED}",
        f"without padding {ENCODED.rstrip('=')}.",
    ],
)
def test_a_known_secret_is_replaced_wherever_it_stands(text):
    """Raw, encoded, in quotes, in a diff; replaced by the same digest as in the object."""
    redacted = kube.MASK.redactor([SECRET]).redact(text)
    assert PASSWORD not in redacted
    assert ENCODED.rstrip("=") not in redacted
    assert MASKED in redacted


def test_multi_line_secrets_are_replaced_line_by_line_and_escaped():
    """A private key shows up in parts, or as one JSON string."""
    lines = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nabcdefghijkl\n-----END KEY-----\n"
    redactor = kube.MASK.redactor([kube.obj("v1", "Secret", "k", stringData={"k": lines})])
    assert "MIIEvQIBADANBg" not in redactor.redact("unexpected MIIEvQIBADANBg in line 2")
    assert "abcdefghijkl" not in redactor.redact(
        r'{"k":"-----BEGIN KEY-----\nMIIEvQIBADANBg\nabcdefghijkl\n-----END KEY-----\n"}'
    )


def test_short_values_do_not_take_words_with_them():
    """A secret of one letter would otherwise blacken every message."""
    redactor = kube.MASK.redactor([kube.obj("v1", "Secret", "s", stringData={"a": "no"})])
    assert redactor.redact("there is no such object") == "there is no such object"


def test_no_secrets_leave_text_alone():
    """A redactor of nothing is the identity."""
    assert kube.MASK.redactor([]).redact("as it is") == "as it is"


@pytest.mark.parametrize(
    "text",
    [
        'Secret "db" is invalid: data[x]: Invalid value: "s3cr3t-never-seen": must be shorter',
        "errors:\n  .data.port: expected string, got &value.valueUnstructured{Value:54321}",
        'cannot unmarshal "s3cr3t-never-seen" into Go value',
        'type: Unsupported value: "s3cr3t-never-seen"',
    ],
)
def test_what_an_api_server_quotes_out_of_a_secret_is_replaced_even_if_unknown(text):
    """A webhook may have changed the value since; only the shape of the message gives it away."""
    redacted = kube.MASK.redactor([]).redact_about(kube.key("/Secret/shop/db"), text)
    assert "s3cr3t" not in redacted
    assert "54321" not in redacted
    assert kube.MASK.redactor([]).redact_about(kube.key("/ConfigMap/shop/c"), text) == text
