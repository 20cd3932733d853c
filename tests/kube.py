"""Small Kubernetes objects for tests, and the masking key they are masked with."""

from typing import Any

from decklog.model import manifest, masking, objects
from services.reconcile.core import desired

MASK = masking.Masking(masking.MaskingKey(b"a key for tests, 32 bytes or more"))
OWNER = desired.Owner("b7d4f1c2", "shop")
SCOPES = {
    objects.Gvk("", "v1", "ConfigMap"): True,
    objects.Gvk("", "v1", "Secret"): True,
    objects.Gvk("", "v1", "Service"): True,
    objects.Gvk("", "v1", "Namespace"): False,
    objects.Gvk("apps", "v1", "Deployment"): True,
    objects.Gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition"): False,
}


def obj(api_version: str, kind: str, name: str, namespace: str = "shop", **rest: Any) -> objects.KubeObject:
    """An object with a name, in a namespace unless that is empty."""
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **rest}


def config_map(name: str, namespace: str = "shop", **data: str) -> objects.KubeObject:
    return obj("v1", "ConfigMap", name, namespace, data=data)


def secret(name: str, **data: str) -> objects.KubeObject:
    return obj("v1", "Secret", name, data=data)


def deployment(name: str = "web", replicas: int = 3, **container: Any) -> objects.KubeObject:
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": "registry.example/web:1", **container}]},
        },
    }
    return obj("apps/v1", "Deployment", name, spec=spec)


def with_metadata(body: objects.KubeObject, **more: Any) -> objects.KubeObject:
    return {**body, "metadata": {**body["metadata"], **more}}


def manifests(*bodies: objects.KubeObject) -> list[manifest.Manifest]:
    """The objects as rendered from files of their own, `0.yaml`, `1.yaml`, …, each at line 1."""
    return [manifest.Manifest(body, f"{number}.yaml", 1) for number, body in enumerate(bodies)]


def wanted(*bodies: objects.KubeObject) -> dict[objects.ObjectKey, desired.DesiredObject]:
    """The members of the desired set of these objects."""
    rendered = manifests(*bodies)
    built = desired.build(rendered, scopes=SCOPES, default_namespace="shop", owner=OWNER, mask=MASK)
    return dict(built.members)


def key(text: str) -> objects.ObjectKey:
    return objects.ObjectKey.parse(text)


def tracked(body: objects.KubeObject, application: str = "shop", installation: str = "b7d4f1c2") -> objects.KubeObject:
    """The object as live, with the mark of an application."""
    mark = objects.Tracking(installation, application, objects.key(body))
    marked = objects.with_annotation(body, objects.TRACKING_ANNOTATION, str(mark))
    return with_metadata(marked, uid="u-1", resourceVersion="7")


def owned(manager: str, operation: str, fields: dict[str, Any], time: str = "2026-11-23T06:00:00Z") -> dict[str, Any]:
    """An entry of `managedFields`."""
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
