"""Masking of objects: secret values become keyed digests, everything else stays."""

import base64

import pytest

from decklog.model import masking
from tests import kube

KEY = kube.MASK.key
PASSWORD = b"hunter2-hunter2"
ENCODED = base64.b64encode(PASSWORD).decode()


def test_rules_are_declared_in_a_document():
    """Kind, pointer and pattern; what is wrong is named by its number."""
    said = [
        {"kind": "Engine.example.com", "pointer": "/spec/users/*/pin"},
        {"kind": "*", "pointer": "/a", "pattern": "x"},
    ]
    assert masking.declared(said) == tuple(masking.MaskingRule(**one) for one in said)
    for document, words in (
        ({"kind": "*"}, "are a list"),
        ([{"kind": "*"}], "rule 1 does not have"),
        ([said[0], {"kind": "*", "pointer": "/a", "where": "b"}], "rule 2 does not have"),
        ([{"kind": "*", "pointer": "/a", "pattern": 7}], "rule 1 does not have"),
        ([{"kind": "*", "pointer": "/a", "pattern": "("}], "rule 1: .* is not a pattern"),
    ):
        with pytest.raises(ValueError, match=words):
            masking.declared(document)


def test_a_secret_keeps_its_shape_and_loses_its_values():
    """Names of entries are no secrets; all values are, empty ones too."""
    masked = kube.MASK(kube.secret("db", password=ENCODED, empty=""))
    assert masked["data"] == {"password": KEY.mask(PASSWORD), "empty": KEY.mask(b"")}
    assert masked["metadata"] == {"name": "db", "namespace": "shop"}


def test_equal_bytes_are_equal_across_data_string_data_and_env():
    """A password is recognised wherever it stands, without being known."""
    secret = kube.obj("v1", "Secret", "db", data={"a": ENCODED}, stringData={"b": PASSWORD.decode()})
    workload = kube.deployment(env=[{"name": "DB_PASSWORD", "value": PASSWORD.decode()}])
    masked, container = kube.MASK(secret), kube.MASK(workload)["spec"]["template"]["spec"]["containers"][0]
    assert masked["data"]["a"] == masked["stringData"]["b"] == container["env"][0]["value"]


def test_text_that_is_no_base64_is_digested_as_it_stands_and_marked():
    """It can never be mistaken for the digest of decoded bytes."""
    masked = kube.MASK(kube.secret("db", p="not base64!"))["data"]["p"]
    assert masked == KEY.mask(b"not base64!") + ":undecodable"
    assert masking.is_masked(masked)


def test_a_masked_value_is_never_valid_base64():
    """The API server refuses it, should one ever be applied."""
    with pytest.raises(ValueError, match="Only base64 data is allowed"):
        base64.b64decode(KEY.mask(b"x"), validate=True)


def test_masking_twice_changes_nothing():
    """A masked object can be masked again without losing the digests."""
    once = kube.MASK(kube.secret("db", password=ENCODED, odd="not base64!"))
    assert kube.MASK(once) == once


def test_the_original_is_untouched():
    """What is applied is never masked."""
    secret = kube.secret("db", password=ENCODED)
    kube.MASK(secret)
    assert secret["data"] == {"password": ENCODED}


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "api-key",
        "GITHUB_TOKEN",
        "clientSecret",
        "AWS_SECRET_ACCESS_KEY",
        "pgpass.pwd",
        "tls.key",
        "SENTRY_DSN",
        "dbPass",
        "VAULT_SECRET_ID",
        ".npmrc",
        "credentials",
    ],
)
def test_config_map_entries_and_env_literals_with_telling_names_are_masked(name):
    """People put passwords into the wrong kind of object."""
    config = kube.MASK(kube.config_map("c", **{name: "open sesame"}))
    workload = kube.MASK(kube.deployment(env=[{"name": name, "value": "open sesame"}]))
    assert masking.is_masked(config["data"][name])
    assert masking.is_masked(workload["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"])


@pytest.mark.parametrize(
    "name",
    ["LOG_LEVEL", "secretName", "TOKEN_PATH", "PASSWORD_FILE", "AWS_ACCESS_KEY_ID", "compass", "monkey", "author"],
)
def test_names_that_only_speak_about_secrets_are_left_alone(name):
    """A mask over everything would record nothing."""
    assert kube.MASK(kube.config_map("c", **{name: "plain"}))["data"][name] == "plain"


def test_a_password_inside_a_url_is_masked_whatever_its_name():
    """`DATABASE_URL` does not sound secret."""
    url = "postgres://app:hunter2@db:5432/shop"
    assert masking.is_masked(kube.MASK(kube.config_map("c", DATABASE_URL=url))["data"]["DATABASE_URL"])
    assert kube.MASK(kube.config_map("c", HOME="https://shop.example/x"))["data"]["HOME"] == "https://shop.example/x"


def test_named_pairs_are_masked_in_kinds_nobody_knows():
    """The walk needs no schema: any list of name and value, however deep."""
    resource = kube.obj(
        "example.com/v1", "Engine", "e", spec={"pods": [{"envVars": [{"name": "API_TOKEN", "value": "t0ps3cret"}]}]}
    )
    assert masking.is_masked(kube.MASK(resource)["spec"]["pods"][0]["envVars"][0]["value"])


def test_references_to_secrets_are_left_alone():
    """A `valueFrom` holds a name, not a value."""
    reference = {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
    workload = kube.deployment(env=[reference])
    assert kube.MASK(workload) == workload


def test_binary_entries_of_a_config_map_are_decoded_first():
    """So they equal the same bytes elsewhere."""
    config = kube.obj("v1", "ConfigMap", "c", binaryData={"keystore.jks": ENCODED, "logo.png": ENCODED})
    masked = kube.MASK(config)["binaryData"]
    assert masked == {"keystore.jks": KEY.mask(PASSWORD), "logo.png": ENCODED}


def test_last_applied_annotations_are_masked_on_any_kind():
    """They repeat whatever was applied, Secrets included."""
    name = "kubectl.kubernetes.io/last-applied-configuration"
    body = kube.with_metadata(kube.config_map("c"), annotations={name: '{"data":{}}', "team": "blue"})
    annotations = kube.MASK(body)["metadata"]["annotations"]
    assert masking.is_masked(annotations[name])
    assert annotations["team"] == "blue"


def test_chart_values_are_masked_below_telling_names():
    """Helm values sit in other tools' objects, and are given by hand."""
    values = {"db": {"password": "x", "user": "app"}, "tokens": ["a", "b"], "replicas": 2}
    assert masking.mask_values(values, KEY) == {
        "db": {"password": KEY.mask(b"x"), "user": "app"},
        "tokens": [KEY.mask(b"a"), KEY.mask(b"b")],
        "replicas": 2,
    }
    release = kube.obj(
        "helm.toolkit.fluxcd.io/v2", "HelmRelease", "r", spec={"values": {"db": {"password": "x"}}, "chart": {}}
    )
    assert masking.is_masked(kube.MASK(release)["spec"]["values"]["db"]["password"])


def test_chart_values_in_text_are_masked_as_a_whole_if_they_hold_a_secret():
    """And if nobody can tell; text without one stays readable."""

    def masked(text):
        body = kube.obj("argoproj.io/v1alpha1", "Application", "a", spec={"source": {"helm": {"values": text}}})
        return kube.MASK(body)["spec"]["source"]["helm"]["values"]

    assert masked("replicas: 2\n") == "replicas: 2\n"
    assert masking.is_masked(masked("db:\n  password: x\n"))
    assert masking.is_masked(masked("db: ["))


def test_telling_options_on_a_command_line_are_masked():
    """With the value after `=` or as the next word, or a password inside a URL."""
    args = ["serve", "--port=80", "--db-password=hunter2", "--token", "t0ken", "-v", "--url=redis://:pw@r:6379"]
    masked = kube.MASK(kube.deployment(args=args))
    found = masked["spec"]["template"]["spec"]["containers"][0]["args"]
    assert found[:3] == ["serve", "--port=80", f"--db-password={KEY.mask(b'hunter2')}"]
    assert found[3:6] == ["--token", KEY.mask(b"t0ken"), "-v"]
    assert masking.is_masked(found[6])
    assert kube.MASK(masked) == masked


def test_lists_are_masked_item_by_item():
    """A SecretList is as secret as its Secrets."""
    listing = {"apiVersion": "v1", "kind": "SecretList", "items": [kube.secret("db", p=ENCODED)]}
    assert kube.MASK(listing)["items"][0]["data"]["p"] == KEY.mask(PASSWORD)


def test_declared_rules_mask_what_they_name():
    """Kind, place with stars, and pattern; what lies below is masked with it."""
    rules = masking.DEFAULT_RULES.extended(
        masking.MaskingRule(kind="Engine.example.com", pointer="/spec/users/*/pin"),
        masking.MaskingRule(kind="*", pointer="/spec/licence", pattern="^LIC-"),
    )
    spec = {
        "users": [{"pin": 1234, "name": "ada"}, {"pin": {"old": "1", "new": "2"}}],
        "licence": "LIC-77",
        "plan": "LIC-77",
    }
    masked = masking.Masking(KEY, rules)(kube.obj("example.com/v1", "Engine", "e", spec=spec))["spec"]
    assert masked["users"] == [
        {"pin": KEY.mask(b"1234"), "name": "ada"},
        {"pin": {"old": KEY.mask(b"1"), "new": KEY.mask(b"2")}},
    ]
    assert (masked["licence"], masked["plan"]) == (KEY.mask(b"LIC-77"), "LIC-77")


def test_a_rule_that_cannot_be_read_is_refused_when_it_is_declared():
    """Not when the first object comes by."""
    with pytest.raises(ValueError, match="is not a pattern"):
        masking.MaskingRule(kind="*", pointer="/a", pattern="(")
    with pytest.raises(ValueError, match="is not a JSON pointer"):
        masking.MaskingRule(kind="*", pointer="spec.a")


def test_the_digest_of_the_rules_names_key_and_rules():
    """It is part of event ids: other rules, other events."""
    other_rules = masking.Masking(KEY, masking.DEFAULT_RULES.extended(masking.MaskingRule(kind="*", pointer="/a")))
    other_key = masking.Masking(masking.MaskingKey(b"another key, also 32 bytes long!!"))
    assert len({kube.MASK.digest, other_rules.digest, other_key.digest}) == 3


def test_a_short_key_is_refused_and_no_key_is_ever_shown():
    """Neither by `repr` nor by its id."""
    with pytest.raises(ValueError, match="at least 32 bytes"):
        masking.MaskingKey(b"short")
    secret = b"s" * 32
    assert "ssss" not in repr(masking.Masking(masking.MaskingKey(secret)))


def test_keys_have_ids_and_masked_values_carry_them():
    """Digests under different keys are known to be incomparable."""
    other = masking.MaskingKey(b"another key, also 32 bytes long!!")
    assert other.id != KEY.id
    assert masking.key_id(KEY.mask(b"x")) == KEY.id
    assert masking.key_id("masked:short") is None


def test_the_form_of_a_masked_value_never_drifts():
    """Values masked by any release compare with those masked by the next."""
    key = masking.MaskingKey(bytes(range(32)))
    assert key.mask(b"hunter2") == ("masked:30a76ab5:8629d712da366318588317f3f98c728c71d4819f843d95db8803c019c561c1e7")
    assert key.mask_undecodable("not base64!") == (
        "masked:30a76ab5:233012b64266d33ce7091235141977074a64372ce6a9ea0711b415360c8e4092:undecodable"
    )
