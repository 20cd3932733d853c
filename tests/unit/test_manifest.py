"""Manifests: read as Kubernetes reads them, refused with file, line and what to do."""

import json

import pytest

from decklog.model import manifest

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def load(text: str, file: str = "apps/a.yaml") -> manifest.Loaded:
    return manifest.load(text.encode(), file)


def refused(text: str, file: str = "apps/a.yaml") -> manifest.ManifestError:
    with pytest.raises(manifest.ManifestError) as caught:
        load(text, file)
    assert caught.value.file == file
    assert caught.value.hint
    return caught.value


def value(text: str) -> object:
    return load(f"{HEAD}data:\n  v: {text}\n").manifests[0].object["data"]["v"]


@pytest.mark.parametrize(
    ("text", "means"),
    [
        *((word, True) for word in ("y", "Y", "yes", "Yes", "on", "ON", "true", "True")),
        *((word, False) for word in ("n", "N", "no", "NO", "off", "Off", "false")),
        *((word, None) for word in ("", "~", "null", "Null")),
        ("0644", 420),
        ("0o644", 420),
        ("0x1F", 31),
        ("0b101", 5),
        ("-0x10", -16),
        ("1_000", 1000),
        ("08", 8),
        ("1e3", 1000),
        ("1.0", 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("+1", 1),
        ("12:30:45", "12:30:45"),
        ("2024-01-02", "2024-01-02"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ('"yes"', "yes"),
        ("'0644'", "0644"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("!!binary aGk=", "hi"),
        ("18446744073709551616", 18446744073709551616.0),
        ("9223372036854775807", 9223372036854775807),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("0o9", "0o9"),
    ],
)
def test_words_mean_what_they_mean_to_kubernetes(text, means):
    """Go-yaml's YAML 1.1 words and Go's numbers; no dates, no sexagesimal."""
    found = value(text)
    assert found == means
    assert type(found) is type(means)


@pytest.mark.parametrize("word", [".inf", "-.Inf", ".nan", "1e999"])
def test_what_json_cannot_hold_is_an_error(word):
    """With the line of the value."""
    assert refused(f"{HEAD}data:\n  v: {word}\n").line == 5


def test_keys_are_text():
    """Numbers and booleans as keys are written out."""
    found = load(f"{HEAD}data:\n  1: a\n  yes: b\n  0644: c\n").manifests[0].object["data"]
    assert found == {"1": "a", "true": "b", "420": "c"}


def test_merges_are_followed_and_own_fields_win():
    """`<<` brings in one mapping or several, of which the first wins."""
    text = f"{HEAD}x: &x {{a: 1, b: 1}}\ny: &y {{b: 2, c: 2}}\ndata:\n  <<: [*x, *y]\n  c: 3\n"
    assert load(text).manifests[0].object["data"] == {"a": 1, "b": 1, "c": 3}


def test_a_field_before_a_merge_gives_way_to_it_with_a_warning():
    """As kubectl reads it, and as nobody expects."""
    loaded = load(f"{HEAD}x: &x {{a: 1}}\ndata:\n  a: 2\n  <<: *x\n")
    assert loaded.manifests[0].object["data"] == {"a": 1}
    assert [one.line for one in loaded.warnings] == [7]


def test_of_a_doubled_key_the_last_one_holds_with_a_warning():
    """As in Kubernetes, but said."""
    loaded = load(f"{HEAD}data:\n  a: x\n  a: z\n")
    assert loaded.manifests[0].object["data"] == {"a": "z"}
    assert [(one.line, one.message) for one in loaded.warnings] == [(6, "a is given twice: the last one holds")]


def test_documents_know_their_line():
    """What the API server refuses later can be blamed on a line."""
    loaded = load(f"# licence\n---\n{HEAD}---\n---\n# nothing\n---\n{HEAD}")
    assert [one.line for one in loaded.manifests] == [3, 10]


def test_list_kinds_are_opened():
    """Each item with its own line, lists within lists too."""
    pod = "{{apiVersion: v1, kind: Pod, metadata: {{name: {}}}}}".format
    nested = f"- apiVersion: v1\n  kind: PodList\n  items:\n  - {pod('b')}\n"
    loaded = load(f"apiVersion: v1\nkind: List\nitems:\n- {pod('a')}\n{nested}")
    assert [one.object["metadata"]["name"] for one in loaded.manifests] == ["a", "b"]
    assert loaded.manifests[0].line == 4


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: [1, 2\nb: 3\n", 2, "invalid YAML"),
        (f"{HEAD}---\njust text\n", 5, "document 2 is not an object"),
        ("kind: Pod\nmetadata: {name: a}\n", 1, "has no apiVersion"),
        ("apiVersion: v1\nmetadata: {name: a}\n", 1, "has no kind"),
        ("apiVersion: v1\nkind: Pod\n", 1, "has no metadata"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}\n", 1, "has no metadata.name"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: 123}\n", 1, "has no metadata.name"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n", 1, "asks for a generated name"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a/b}\n", 1, "has the odd name"),
        ("apiVersion: a/b/c\nkind: Pod\nmetadata: {name: a}\n", 1, "has the odd kind"),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: a, labels: {on: true}}\n",
            1,
            "the label true with a value that is no text",
        ),
        ("? [a]\n: b\n", 1, "a key is a mapping or a list"),
        (f"{HEAD}data: !Ref x\n", 4, "the tag !Ref means nothing to Kubernetes"),
        (f"{HEAD}data: *nope\n", 4, "invalid YAML"),
        (f"{HEAD}data: \x01\n", 4, "invalid YAML"),
    ],
)
def test_what_is_no_object_is_refused_with_its_place(text, line, problem):
    """Every refusal names the file, the line and what to do."""
    error = refused(text)
    assert error.line == line
    assert problem in error.problem


def test_an_unrendered_template_is_recognised():
    """The commonest reason for YAML that cannot be read."""
    assert "looks like a template" in refused("metadata:\n  name: {{ .Values.name }}\n").hint


def test_bytes_that_are_no_utf_8_are_refused_and_marks_are_accepted():
    """Windows editors write byte order marks."""
    with pytest.raises(manifest.ManifestError, match="no UTF-8"):
        manifest.load(b"a: \xff\xfe", "a.yaml")
    for encoding in ("utf-8-sig", "utf-16"):
        assert len(manifest.load(HEAD.encode(encoding), "a.yaml").manifests) == 1


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "a: &a [*a]", "- " * 5000])
def test_endless_nesting_stops_at_a_limit(text):
    """Before it ends the C stack; a value that holds itself is endless, too."""
    assert "nested deeper than 100 levels" in refused(text).problem


def test_an_alias_bomb_does_not_go_off():
    """Ten to the ninth values from four hundred bytes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(manifest.ManifestError, match="values once aliases are followed"):
        manifest.load("\n".join(lines).encode(), "a.yaml", manifest.Limits(nodes=10_000))


def test_json_is_read_as_json():
    """Several values after one another, numbers as in YAML, surrogate pairs intact."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "😀", "n": 1.0}}
    loaded = load(json.dumps(body) + "\n" + json.dumps(body), "a.json")
    assert [one.line for one in loaded.manifests] == [1, 2]
    assert loaded.manifests[0].object["data"] == {"a": "😀", "n": 1}


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": "\\ud800"}', '{"a": 1e999}', "[" * 100_000, '{"a": 1', '{"apiVersion": "v1"}']
)
def test_json_that_is_none_is_refused(text):
    """With the line."""
    assert refused(text, "a.json").line == 1


def test_json_says_of_doubled_keys_that_the_last_one_holds():
    """As the API server takes it, but said."""
    body = '{"apiVersion": "v1", "kind": "A", "kind": "B", "metadata": {"name": "a"}}'
    loaded = load(body, "a.json")
    assert loaded.manifests[0].object["kind"] == "B"
    assert loaded.warnings[0].message == "kind is given twice: the last one holds"
