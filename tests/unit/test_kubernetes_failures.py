"""An API server's answers become errors by what the caller should do."""

from typing import Any

import pytest

from decklog.adapters.kubernetes import discovery, failures
from decklog.model import errors, objects
from decklog.ports import cluster

CONVERTING = "failed to convert new object (x; v1) to proper version"


def status(message: str = "no", reason: str = "", *causes: dict[str, str]) -> dict[str, Any]:
    return {"kind": "Status", "message": message, "reason": reason, "details": {"causes": list(causes)}}


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (409, status("object has been modified", "Conflict"), cluster.Stale),
        (409, status("exists", "AlreadyExists"), cluster.Stale),
        (409, status("c", "Conflict", {"reason": "FieldManagerConflict", "field": ".spec.a"}), cluster.Conflict),
        (422, status("invalid", "Invalid", {"field": "metadata.uid"}), cluster.Stale),
        (422, status("spec.replicas: Invalid value", "Invalid"), cluster.Rejected),
        (500, status("failed to create typed patch object (x; v1): .data.a: expected string"), cluster.Rejected),
        (500, status(f"{CONVERTING}: unable to convert unstructured object to /v1: illegal base64"), cluster.Rejected),
        (500, status(f"{CONVERTING}: conversion webhook for x failed: connection refused"), cluster.Unavailable),
        (500, status("etcdserver: request timed out"), cluster.Unavailable),
        (500, status("failed calling webhook: connection refused", "InternalError"), cluster.Unavailable),
        (403, status("may not"), cluster.Forbidden),
        (403, status("terminating", "Forbidden", {"reason": "NamespaceTerminating"}), cluster.Unavailable),
        (401, status("Unauthorized"), cluster.Forbidden),
        (404, status("not found"), cluster.NotFound),
        (410, status("too old resource version"), cluster.Expired),
        (429, status("slow down"), cluster.Unavailable),
        (503, {}, cluster.Unavailable),
        (400, status("strict decoding error"), cluster.Rejected),
        (413, {}, cluster.Rejected),
    ],
)
def test_each_answer_has_its_error(code: int, body: dict[str, Any], expected: type[errors.DecklogError]) -> None:
    """Status and body decide whether it passes, comes again, or must be read anew."""
    assert type(failures.explain(code, body, where="PATCH /x")) is expected


def test_a_conflict_names_manager_and_field() -> None:
    """Whose the field is stands in the cause's message."""
    cause = {
        "reason": "FieldManagerConflict",
        "field": ".spec.replicas",
        "message": 'conflict with "kubectl-scale" with subresource "scale" using apps/v1',
    }
    error = failures.explain(409, status("conflict", "Conflict", cause), where="PATCH /x")
    assert isinstance(error, cluster.Conflict)
    assert error.conflicts == (cluster.FieldConflict("kubectl-scale", ".spec.replicas"),)


WIDGETS = cluster.Resource(
    gvk=objects.Gvk("example.org", "v1", "Widget"), plural="widgets", namespaced=True, verbs=frozenset()
)


def test_paths() -> None:
    """Core and named groups, namespaces and names have their places in a path."""
    assert (
        discovery.path(WIDGETS, namespace="n", name="system:x") == "/apis/example.org/v1/namespaces/n/widgets/system:x"
    )
    assert discovery.path(WIDGETS) == "/apis/example.org/v1/widgets"


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a%2fb"])
def test_a_name_never_changes_the_path(name: str) -> None:
    """A manifest's name cannot lead a request somewhere else."""
    with pytest.raises(cluster.Rejected):
        discovery.path(WIDGETS, namespace="n", name=name)


def test_discovery_reads_groups_versions_and_scopes() -> None:
    """Aggregated discovery tells kinds with their scopes, and which servers are silent."""
    document = {
        "kind": "APIGroupDiscoveryList",
        "items": [
            {
                "metadata": {"name": "example.org"},
                "versions": [
                    {
                        "version": "v1",
                        "resources": [
                            {
                                "resource": "widgets",
                                "responseKind": {"kind": "Widget"},
                                "scope": "Namespaced",
                                "verbs": ["get"],
                            }
                        ],
                    },
                    {"version": "v2", "freshness": "Stale"},
                ],
            }
        ],
    }
    assert list(discovery.parse(document)) == [WIDGETS.gvk]
    assert discovery.unreachable(document) == {("example.org", "v2")}


def test_an_old_api_server_is_told_so() -> None:
    """Without aggregated discovery the error names the way out."""
    with pytest.raises(errors.Terminal, match=r"1\.27"):
        discovery.parse({"kind": "APIVersions"})
