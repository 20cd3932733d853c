"""Our reading of YAML against kubectl's own, offline: what a word means here is what it means there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from decklog.model import manifest

KUBECTL = str(Path(sys.executable).parent / "kubectl")
HEAD = "apiVersion: example.com/v1\nkind: Engine\nmetadata: {name: a, labels: {a: b}}\n"

# One or more lines each; `&` stands for a space.
LINES = (
    "y Y yes Yes YES yEs n N no No NO on On ON off Off OFF true True TRUE tRUE false False ~ null Null NULL",
    "0644 0o644 0O644 007 00 0_7 08 09 0o9 0x1F 0X1f 0xZZ 0b101 -0b11 0b2 -0x10 -017 1_000 1__0 _1 100_",
    "1e3 1E3 1e+3 1e-3 1.e3 1.5e2 1.0 1.50 .5 5. -.5 +.5 +1 -1 +0 -0 0.0 -0.0 1_0.5 1e 1e+ e3 . .. -- 0x1p-2",
    "12:30:45 190:20:30 2024-01-02 2024-01-02T03:04:05Z 2001-12-14t21:59:43.10-05:00 1.2.3 = ...x <<x",
    "9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551615",
    "18446744073709551616 123456789012345678901234567890 1e20 1e21 1e22 0.1 3.14159265358979 1e-400",
    "Infinity inf nan NaN !!str&12 !!int&'12' !!float&3 !!bool&'yes' !!str&yes 'yes' \"0644\" \"a\\nb\" 'it''s'",
)
WORDS = [word for line in LINES for word in line.split()]

DOCUMENTS = {
    "keys": "spec: {1: a, 0644: b, yes: c, ~x: d, 1.5: e, 2024-01-02: f, 'no': g}\n",
    "merge, own fields after": "x: &x {a: 1, b: 1}\nspec: {<<: *x, b: 2}\n",
    "merge, own fields before": "x: &x {a: 1, b: 1}\nspec:\n  b: 2\n  <<: *x\n",
    "merge of several": "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nspec: {<<: [*x, *y]}\n",
    "merge of a merge": "x: &x {a: 1}\ny: &y {<<: *x, b: 2}\nspec: {<<: *y, c: 3}\n",
    "aliases": "x: &x [1, {a: b}]\nspec: {a: *x, b: *x}\n",
    "block scalars": "spec:\n  a: |\n    one\n     two\n\n  b: >-\n    three\n    four\n  c: |+\n    five\n\n",
    "doubled keys": "spec: {a: 1, a: 2}\n",
    "empty values": "spec: {a: , b: [], c: {}, d: ''}\n",
    "several lines": "spec:\n  a: one\n    two\n  b: 'three\n\n    four'\n",
    "unicode": 'spec: {a: "\\u00fc\\U0001F600", b: grüße, c: "\\x41"}\n',
    "tabs after values": "spec:\n  a: 1\t\n  b: [1,\t2]\n",
}


def kubectl(text: str) -> object:
    """The object as kubectl reads it; `label --local` asks no server and leaves everything else as it is."""
    command = [KUBECTL, "label", "--local", "--overwrite", "-f", "-", "a=b", "-o", "json"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"kubectl refused: {done.stderr}")
    return json.loads(done.stdout)


def ours(text: str) -> object:
    (one,) = manifest.load(text.encode(), "a.yaml").manifests
    return one.object


def same(left: object, right: object) -> bool:
    """Equal JSON, where `1` and `1.0` are one number and never a boolean; Go writes large ones rounded."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if type(left) in (int, float) and type(right) in (int, float):
        return float(left) == float(right)  # type: ignore[arg-type]
    return left == right and type(left) is type(right)


def test_every_word_means_what_it_means_to_kubectl():
    """One object holds them all; `&` stands for a space after a tag."""
    lines = [f"  w{number}: {word.replace('&', ' ')}" for number, word in enumerate(WORDS)]
    text = f"{HEAD}spec:\n" + "\n".join(lines) + "\n"
    theirs, mine = kubectl(text), ours(text)
    assert isinstance(theirs, dict)
    assert isinstance(mine, dict)
    different = {
        word: (theirs["spec"].get(f"w{number}"), mine["spec"].get(f"w{number}"))
        for number, word in enumerate(WORDS)
        if not same(theirs["spec"].get(f"w{number}"), mine["spec"].get(f"w{number}"))
    }
    assert different == {}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_every_structure_means_what_it_means_to_kubectl(case):
    """Merges, aliases, keys that are no text, scalars over several lines."""
    text = HEAD + DOCUMENTS[case]
    theirs, mine = kubectl(text), ours(text)
    assert same(mine, theirs), (mine, theirs)


@pytest.mark.parametrize("text", ["spec: {a: .inf}\n", "spec: {a: .nan}\n", "spec: {? [a] : b}\n", "spec: [\n"])
def test_what_kubectl_refuses_is_refused(text):
    """With a better message."""
    with pytest.raises(AssertionError, match="kubectl refused"):
        kubectl(HEAD + text)
    with pytest.raises(manifest.ManifestError):
        ours(HEAD + text)
