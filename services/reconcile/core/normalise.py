"""What is made equal before two objects are compared: known ways in which the same object is written differently.

One function per normalisation, each with the bug or the rule it answers. They work on plain JSON and touch nothing
else: re-typing an object would reset what the types do not know (kustomize-controller#1041 lost Role rules that way).

Three uses: `to_apply` makes what is sent, `desired` what is wanted into the form that is digested, `observed` what the
API server returned, live or from a dry-run, into the form that is compared.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any

from decklog.model import objects
from services.reconcile.core import podspecs

# Raised whenever a normalisation changes what is recorded: part of the ids of events that hold normalised bodies.
VERSION = 1

Normalisation = Callable[[objects.KubeObject], objects.KubeObject]

_VOLATILE_METADATA = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "selfLink", "creationTimestamp"}
)


def to_apply(obj: objects.KubeObject) -> objects.KubeObject:
    """The form that is sent to the API server."""
    return _through(obj, (string_data_to_data, port_protocols, null_timestamps))


def desired(obj: objects.KubeObject) -> objects.KubeObject:
    """The form in which what is wanted is masked, digested and recorded."""
    return _through(obj, (without_server_set_fields, *_OBSERVED))


def observed(obj: objects.KubeObject) -> objects.KubeObject:
    """The form in which what the API server returned is compared, masked, digested and recorded."""
    return _through(obj, (without_server_set_fields, *_OBSERVED))


def without_server_set_fields(obj: objects.KubeObject) -> objects.KubeObject:
    """`status` and the metadata that only the API server sets. A dry-run bumps `generation` in its reply alone."""
    meta = {name: value for name, value in objects.metadata(obj).items() if name not in _VOLATILE_METADATA}
    return {**{name: value for name, value in obj.items() if name != "status"}, "metadata": meta}


def string_data_to_data(obj: objects.KubeObject) -> objects.KubeObject:
    """A Secret's `stringData` is written over its `data`, as the API server does on write but SSA never owns.

    https://github.com/kubernetes/kubernetes/issues/108008
    """
    if not _is(obj, "", "Secret") or not isinstance(obj.get("stringData"), dict):
        return obj
    encoded = {
        name: base64.b64encode(text.encode()).decode() if isinstance(text, str) else text
        for name, text in obj["stringData"].items()
    }
    data = obj.get("data")
    rest = {name: value for name, value in obj.items() if name != "stringData"}
    return {**rest, "data": {**(data if isinstance(data, dict) else {}), **encoded}}


def null_secret_values(obj: objects.KubeObject) -> objects.KubeObject:
    """A null in a Secret's `data` is stored as an empty value.

    https://github.com/argoproj/gitops-engine/blob/master/pkg/diff/diff.go (NormalizeSecret)
    """
    data = obj.get("data")
    if not _is(obj, "", "Secret") or not isinstance(data, dict):
        return obj
    return {**obj, "data": {name: "" if value is None else value for name, value in data.items()}}


def null_timestamps(obj: objects.KubeObject) -> objects.KubeObject:
    """Go writes an unset `creationTimestamp` as null, in pod templates and claim templates too.

    https://github.com/kubernetes/kubernetes/issues/67610
    """
    cleaned: objects.KubeObject = _without_null_timestamps(obj)
    return cleaned


def empty_role_rules(obj: objects.KubeObject) -> objects.KubeObject:
    """Absent, null and empty `rules` of a Role or ClusterRole, and `subjects` of a binding, mean the same.

    https://github.com/argoproj/gitops-engine/blob/master/pkg/diff/diff.go (normalizeRole)
    """
    if obj.get("apiVersion", "").partition("/")[0] != "rbac.authorization.k8s.io":
        return obj
    return {name: value for name, value in obj.items() if name not in ("rules", "subjects") or value}


def aggregated_rules(obj: objects.KubeObject) -> objects.KubeObject:
    """The rules of an aggregated ClusterRole are written by a controller; what a manifest says there means nothing.

    https://github.com/argoproj/argo-cd/issues/2382
    """
    if not _is(obj, "rbac.authorization.k8s.io", "ClusterRole") or not obj.get("aggregationRule"):
        return obj
    return {name: value for name, value in obj.items() if name != "rules"}


def endpoints_order(obj: objects.KubeObject) -> objects.KubeObject:
    """The order of an Endpoints' addresses and ports means nothing, and a port without protocol is TCP.

    https://github.com/argoproj/argo-cd/issues/6300
    """
    if not _is(obj, "", "Endpoints") or not isinstance(obj.get("subsets"), list):
        return obj
    return {**obj, "subsets": sorted((_subset(one) for one in obj["subsets"]), key=repr)}


def port_protocols(obj: objects.KubeObject) -> objects.KubeObject:
    """A port of a container or Service without protocol is TCP; the protocol is part of the list's key.

    https://github.com/kubernetes-sigs/structured-merge-diff/issues/130
    """
    if _is(obj, "", "Service"):
        return _in_spec(obj, lambda spec: _with_ports(spec, "ports"))
    return podspecs.change(obj, _container_ports)


def autoscaler_metrics(obj: objects.KubeObject) -> objects.KubeObject:
    """Before 1.27 a dry-run doubles the first metric of a HorizontalPodAutoscaler and appends an empty one.

    https://github.com/kubernetes/kubernetes/issues/118293
    """
    spec = obj.get("spec")
    if not _is(obj, "autoscaling", "HorizontalPodAutoscaler") or not isinstance(spec, dict):
        return obj
    metrics = spec.get("metrics")
    if not isinstance(metrics, list):
        return obj
    once: list[Any] = []
    for metric in metrics:
        if isinstance(metric, dict) and metric.get("type") and metric not in once:
            once.append(metric)
    return {**obj, "spec": {**spec, "metrics": once}}


def injected_ca_bundles(obj: objects.KubeObject) -> objects.KubeObject:
    """A `caBundle` that an injector writes, or that stands in a manifest as its placeholder, is not the manifest's.

    https://github.com/metallb/metallb/issues/2571 and https://github.com/argoproj/argo-cd/issues/1487
    """
    if (obj.get("kind"), obj.get("apiVersion", "").partition("/")[0]) not in _CA_HOLDERS:
        return obj
    injected = any(name.startswith(_INJECTORS) for name in objects.annotations(obj))
    changed: objects.KubeObject = _without_ca_bundles(obj, injected=injected)
    return changed


def claim_templates(obj: objects.KubeObject) -> objects.KubeObject:
    """The API server fills a StatefulSet's claim templates with kind, status and volume mode.

    https://github.com/argoproj/argo-cd/issues/11143
    """
    if not _is(obj, "apps", "StatefulSet"):
        return obj
    return _in_spec(obj, _with_claim_defaults)


_OBSERVED: tuple[Normalisation, ...] = (
    string_data_to_data,
    null_secret_values,
    null_timestamps,
    empty_role_rules,
    aggregated_rules,
    endpoints_order,
    port_protocols,
    autoscaler_metrics,
    injected_ca_bundles,
    claim_templates,
)

_CA_HOLDERS = frozenset(
    {
        ("CustomResourceDefinition", "apiextensions.k8s.io"),
        ("MutatingWebhookConfiguration", "admissionregistration.k8s.io"),
        ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io"),
        ("APIService", "apiregistration.k8s.io"),
    }
)
_INJECTORS = ("cert-manager.io/inject-", "certmanager.k8s.io/inject-", "service.beta.openshift.io/inject-cabundle")
# An empty value, and a line break alone: how manifests mark the place.
_PLACEHOLDERS = frozenset({"", "Cg==", None})


def _through(obj: objects.KubeObject, steps: tuple[Normalisation, ...]) -> objects.KubeObject:
    for step in steps:
        obj = step(obj)
    return obj


def _is(obj: objects.KubeObject, group: str, kind: str) -> bool:
    found = objects.gvk(obj)
    return (found.group, found.kind) == (group, kind)


def _in_spec(obj: objects.KubeObject, change: Callable[[dict[str, Any]], dict[str, Any]]) -> objects.KubeObject:
    spec = obj.get("spec")
    return {**obj, "spec": change(spec)} if isinstance(spec, dict) else obj


def _without_null_timestamps(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_null_timestamps(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_null_timestamps(entry)
        for name, entry in value.items()
        if not (name == "creationTimestamp" and entry is None)
    }


def _subset(one: Any) -> Any:
    if not isinstance(one, dict):
        return one
    named = _with_ports(one, "ports")
    lists = {name: sorted(value, key=repr) for name, value in named.items() if isinstance(value, list)}
    return {**named, **lists}


def _with_ports(holder: dict[str, Any], name: str) -> dict[str, Any]:
    ports = holder.get(name)
    if not isinstance(ports, list):
        return holder
    filled = [{**one, "protocol": one.get("protocol") or "TCP"} if isinstance(one, dict) else one for one in ports]
    return {**holder, name: filled}


def _container_ports(spec: dict[str, Any]) -> dict[str, Any]:
    filled = {
        part: [_with_ports(one, "ports") if isinstance(one, dict) else one for one in spec[part]]
        for part in ("containers", "initContainers")
        if isinstance(spec.get(part), list)
    }
    return {**spec, **filled}


def _without_ca_bundles(value: Any, *, injected: bool) -> Any:
    if isinstance(value, list):
        return [_without_ca_bundles(item, injected=injected) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_ca_bundles(entry, injected=injected)
        for name, entry in value.items()
        if not (name == "caBundle" and (injected or _is_placeholder(entry)))
    }


def _is_placeholder(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value in _PLACEHOLDERS)


def _with_claim_defaults(spec: dict[str, Any]) -> dict[str, Any]:
    templates = spec.get("volumeClaimTemplates")
    if not isinstance(templates, list):
        return spec
    return {**spec, "volumeClaimTemplates": list(_claims(templates))}


def _claims(templates: list[Any]) -> Iterator[Any]:
    for one in templates:
        if not isinstance(one, dict):
            yield one
            continue
        bare = {name: value for name, value in one.items() if name != "status"}
        inner = bare.get("spec")
        spec = {"spec": {"volumeMode": "Filesystem", **inner}} if isinstance(inner, dict) else {}
        yield {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **bare, **spec}
