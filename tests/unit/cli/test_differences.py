"""What changed between two states is named field by field, exactly."""

from typing import Any

from decklog.cli import differences
from decklog.client import answers

KEYED = "masked:{key}:" + "ab" * 32


def version(name: str, body: dict[str, Any], digest: str | None = None) -> answers.Version:
    return {
        "object": f"/ConfigMap/shop/{name}",
        "cluster": "dev",
        "application": "shop",
        "valid_from": 0,
        "resource_version": 1,
        "leaf": 1,
        "digest": digest or str(body),
        "body": body,
    }


def test_equal_states_differ_in_nothing() -> None:
    assert differences.between([version("a", {"x": 1})], [version("a", {"x": 1})]) == []


def test_objects_come_go_and_change() -> None:
    before = [version("went", {}), version("kept", {"x": 1}), version("other", {"x": 1})]
    after = [version("kept", {"x": 2}), version("came", {}), version("other", {"x": 1})]
    found = {one["object"].rpartition("/")[2]: one["change"] for one in differences.between(before, after)}
    assert found == {"came": "added", "kept": "changed", "went": "removed"}


def test_each_differing_leaf_is_named_by_its_pointer() -> None:
    before = {"spec": {"replicas": 2, "ports": [{"port": 80}, {"port": 81}]}, "a/b": "x", "same": [1]}
    after = {"spec": {"replicas": 3, "ports": [{"port": 80}]}, "a/b": "y", "same": [1], "new": {"k": 1}}
    assert [(one["path"], one["before"], one["after"]) for one in differences.fields(before, after)] == [
        ("/a~1b", "x", "y"),
        ("/new", None, {"k": 1}),
        ("/spec/ports/1", {"port": 81}, None),
        ("/spec/replicas", 2, 3),
    ]


def test_values_masked_under_different_keys_are_not_called_changed() -> None:
    old, new = KEYED.format(key="1a2b3c4d"), KEYED.format(key="99999999")
    assert [one["comparable"] for one in differences.fields({"p": old}, {"p": new})] == [False]
    other = old.replace("ab", "cd")
    assert [one["comparable"] for one in differences.fields({"p": old}, {"p": other})] == [True]


def test_the_same_name_on_another_cluster_is_another_object() -> None:
    there: answers.Version = {**version("a", {"x": 1}), "cluster": "staging"}
    found = differences.between([version("a", {"x": 1})], [there])
    assert [(one["cluster"], one["change"]) for one in found] == [("dev", "removed"), ("staging", "added")]
