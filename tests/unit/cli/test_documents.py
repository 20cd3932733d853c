"""What is printed as YAML means the same to Kubernetes, and masked values are marked without changing anything."""

import json

import pytest

from decklog.cli import documents
from decklog.model import source_text, yaml_text

MASKED = "masked:1a2b3c4d:" + "ab" * 32
TRICKY = [
    "yes",
    "y",
    "N",
    "off",
    "~",
    "",
    "null",
    "1e3",
    "0o17",
    "0644",
    "1_000",
    "12:30:45",
    "2024-01-02",
    "=",
    "<<",
    ".inf",
]
TRICKY += [
    "- a",
    "a: b",
    "# no",
    "a #b",
    "'",
    '"',
    "tab\there",
    " lead",
    "trail ",
    "line\nline",
    "line\n",
    "\n",
    "é→",
    "*a",
    "&a",
    "\x1b[31mred",
    "a\u202eb\nc",
    "\x9b2J \U000e0041",
]


def read_back(text: str) -> list[object]:
    nodes, _ = yaml_text.read(text, "printed", source_text.Limits())
    return [node.value for node in nodes]


@pytest.mark.parametrize("text", TRICKY)
def test_text_stays_text_for_kubernetes(text: str) -> None:
    value = {"data": {text or "empty": text}, "list": [text]}
    assert read_back(documents.to_yaml(value)) == [value]


def test_numbers_flags_and_nothing_stay_what_they_are() -> None:
    value = {"replicas": 3, "ratio": 0.5, "on": True, "none": None, "empty": {}, "items": []}
    assert read_back(documents.to_yaml(value)) == [value]


def test_a_masked_value_is_marked_by_a_comment_and_only_by_that() -> None:
    secret = {"kind": "Secret", "data": {"password": MASKED}, "list": [MASKED], "apiVersion": "v1"}
    text = documents.manifest(secret)
    assert f"  password: {MASKED}  # masked\n" in text
    assert f"- {MASKED}  # masked\n" in text
    assert read_back(text) == [secret]
    assert documents.masked_values(secret) == 2


def test_text_that_only_looks_marked_stays_as_it_is() -> None:
    config = {"data": {"a": "~masked", "b": f"# {MASKED}\n{MASKED}\n", "c": f"{MASKED}~masked"}}
    assert read_back(documents.manifest(config)) == [config]
    (marked,) = [line for line in documents.manifest(config).splitlines() if line.endswith("# masked")]
    assert marked == f"  c: {MASKED}~masked  # masked"


@pytest.mark.parametrize(
    "text", [f"--password={MASKED}", f"key: {MASKED} # rest", f"'{MASKED}'", f"{MASKED},{MASKED}", f"a\u202e {MASKED}"]
)
def test_a_value_that_is_masked_in_part_is_marked_and_counted(text: str) -> None:
    """An argument of a container, say: applied as it is, it would be a wrong password."""
    pod = {"kind": "Pod", "args": [text], "command": [f"two\n{MASKED}\n"]}
    shown = documents.manifest(pod)
    assert [line.endswith("  # masked") for line in shown.splitlines() if line.startswith("- ")] == [True, False]
    assert read_back(shown) == [pod]
    assert documents.masked_values(pod) == text.count(MASKED) + 1


def test_a_manifest_begins_as_people_write_it() -> None:
    text = documents.manifest({"data": {}, "kind": "ConfigMap", "metadata": {"name": "a"}, "apiVersion": "v1"})
    assert text.splitlines()[:3] == ["apiVersion: v1", "kind: ConfigMap", "metadata:"]


def test_manifests_are_one_stream_of_documents() -> None:
    values = [{"apiVersion": "v1", "kind": kind} for kind in ("A", "B", "C")]
    assert read_back("".join(documents.manifests(values))) == values


def test_a_stream_of_json_is_one_value_a_line() -> None:
    line = documents.to_json_line({"summary": "two\nlines", "leaf": 1})
    assert line.count("\n") == 1
    assert json.loads(line) == {"summary": "two\nlines", "leaf": 1}
