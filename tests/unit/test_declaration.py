"""Declarations: what people write becomes a spec, and what is wrong is named with a way out."""

import pytest

from decklog.events.v1 import fleet_pb2
from decklog.model import declaration


def document(kind: str = "Application", **spec: object) -> dict[str, object]:
    return {"apiVersion": "decklog.dev/v1", "kind": kind, "metadata": {"name": "shop"}, "spec": spec}


MINIMAL = {"source": "infra", "path": "./apps//shop/", "destCluster": "dev"}


def test_defaults_become_explicit_so_that_the_event_says_all_that_holds() -> None:
    spec = declaration.parse(document(**MINIMAL)).spec
    assert isinstance(spec, fleet_pb2.ApplicationSpec)
    assert (spec.path, spec.ref, spec.mode) == ("apps/shop", "HEAD", fleet_pb2.MODE_DETECT)
    assert (spec.conflicts, spec.on_delete) == (fleet_pb2.CONFLICTS_FORCE, fleet_pb2.ON_DELETE_KEEP)


def test_a_branch_name_means_its_full_ref() -> None:
    spec = declaration.parse(document(**MINIMAL, ref="main")).spec
    assert isinstance(spec, fleet_pb2.ApplicationSpec)
    assert spec.ref == "refs/heads/main"


def test_a_bare_off_that_yaml_read_as_false_is_the_mode_off() -> None:
    spec = declaration.parse(document(**MINIMAL, mode=False)).spec
    assert isinstance(spec, fleet_pb2.ApplicationSpec)
    assert spec.mode == fleet_pb2.MODE_OFF


@pytest.mark.parametrize(
    ("changed", "message", "hint"),
    [
        ({"moode": "heal"}, "no field 'moode'", "did you mean 'mode'"),
        ({"mode": "hael"}, "mode: 'hael' is not known", "off, detect, apply, heal"),
        ({"path": "../etc"}, "leads out of the repository", "inside it"),
        ({"destCluster": "Dev_1"}, "'Dev_1' is not a valid name", "lower-case"),
        ({"prune": "yes"}, "prune: 'yes' is neither true nor false", ""),
        ({"ref": "a..b"}, "ref: 'a..b' is not a ref", "branch"),
        ({"source": None}, "the field 'source' is missing", "add 'source: …'"),
        ({"ignore": [{"knd": "Service"}]}, "ignore: there is no field 'knd'", "did you mean 'kind'"),
        ({"path": "a\0b"}, "path: 'a\\x00b' holds a NUL", "UTF-8"),
        ({"owner": "\ud800"}, "owner: '\\ud800' holds a NUL or half of a character", "UTF-8"),
    ],
)
def test_each_mistake_is_named_with_what_to_do(changed: dict[str, object], message: str, hint: str) -> None:
    with pytest.raises(declaration.Invalid) as caught:
        declaration.parse(document(**{**MINIMAL, **changed}), file="apps.yaml", line=7)
    failure = caught.value.failure
    assert message in failure.message
    assert hint in failure.hint
    assert (failure.file, failure.line) == ("apps.yaml", 7)


@pytest.mark.parametrize("url", ["https://u:p@host/x", "https://token@host/x", "ssh://git:secret@host/x"])
def test_a_url_with_credentials_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(declaration.Invalid, match="holds credentials") as caught:
        declaration.parse(document("Source", url=url))
    assert "secret" not in str(caught.value)
    assert "token@" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://host/x.git", "ssh://git@host/x", "git@host:team/x", "/srv/git/x", "file:///x"]
)
def test_the_usual_ways_to_name_a_repository_are_taken(url: str) -> None:
    spec = declaration.parse(document("Source", url=url)).spec
    assert isinstance(spec, fleet_pb2.SourceSpec)
    assert (spec.url, list(spec.refs)) == (url, ["HEAD"])


@pytest.mark.parametrize(
    "value", [None, [], "x", {"kind": "Application"}, {"apiVersion": "decklog.dev/v1", "kind": []}]
)
def test_what_is_no_declaration_at_all_is_refused(value: object) -> None:
    with pytest.raises(declaration.Invalid):
        declaration.parse(value)


def test_what_is_written_out_reads_back_the_same() -> None:
    first = declaration.parse(
        document(
            **MINIMAL,
            mode="heal",
            prune=True,
            onDelete="prune",
            renderer="kustomize",
            ignore=[{"kind": "Deployment", "pointers": ["/spec/replicas"], "managers": ["hpa"]}],
        )
    )
    assert declaration.parse(declaration.to_document(first)) == first
    assert declaration.to_document(first)["spec"]["onDelete"] == "prune"
