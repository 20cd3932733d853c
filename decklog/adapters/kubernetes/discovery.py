"""Which kinds a cluster serves, in two requests, and the paths under which they are read and written.

Aggregated discovery is asked for (on by default since Kubernetes 1.27, KEP-3352).
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from decklog.model import errors, objects
from decklog.ports import cluster

PATHS = ("/api", "/apis")
ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def parse(document: Mapping[str, Any]) -> dict[objects.Gvk, cluster.Resource]:
    """The kinds of one answer. Raises `Terminal` for an API server that is too old to give it."""
    if document.get("kind") != "APIGroupDiscoveryList":
        raise errors.Terminal("the API server knows no aggregated discovery", hint="Use Kubernetes 1.27 or newer")
    return {one.gvk: one for group in document.get("items") or () for one in _of_group(group)}


def unreachable(document: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Groups and versions whose own server is down: of their kinds nothing is known."""
    return frozenset(
        (str(group.get("metadata", {}).get("name", "")), str(version.get("version", "")))
        for group in document.get("items") or ()
        for version in group.get("versions") or ()
        if version.get("freshness") == "Stale"
    )


def path(resource: cluster.Resource, *, namespace: str = "", name: str = "") -> str:
    """Where a kind, or one object of it, is served."""
    gvk = resource.gvk
    root = f"/apis/{_segment(gvk.group)}/{_segment(gvk.version)}" if gvk.group else f"/api/{_segment(gvk.version)}"
    scope = f"/namespaces/{_segment(namespace)}" if resource.namespaced and namespace else ""
    tail = f"/{_segment(name)}" if name else ""
    return f"{root}{scope}/{_segment(resource.plural)}{tail}"


def _of_group(group: Mapping[str, Any]) -> Iterator[cluster.Resource]:
    name = str(group.get("metadata", {}).get("name", ""))
    for version in group.get("versions") or ():
        for resource in version.get("resources") or ():
            kind = (resource.get("responseKind") or {}).get("kind", "")
            yield cluster.Resource(
                gvk=objects.Gvk(name, str(version.get("version", "")), str(kind)),
                plural=str(resource.get("resource", "")),
                namespaced=resource.get("scope") == "Namespaced",
                verbs=frozenset(map(str, resource.get("verbs") or ())),
            )


def _segment(text: str) -> str:
    """One part of a path. What would change the path's meaning is refused, as the API server does with names."""
    if text in ("", ".", "..") or "/" in text or "%" in text:
        raise cluster.Rejected(
            f"{text!r} cannot be a name in Kubernetes", where=text, hint="Use letters, digits, dots and dashes"
        )
    return quote(text, safe=":")
