"""Verdicts against a real API server: what was applied is in sync, what was touched differs exactly there."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from decklog.adapters.kubernetes import account, connection
from decklog.adapters.kubernetes import cluster as kubernetes
from decklog.model import errors, manifest, objects
from decklog.ports import cluster as ports
from services.reconcile.core import compare, desired, managers, normalise, patch
from tests import json_patch, kube

WORKLOADS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, creationTimestamp: null}
    spec:
      containers:
      - name: web
        image: registry.example/web:1
        env: [{name: LOG_LEVEL, value: info}, {name: DB_PASSWORD, value: hunter2-hunter2}]
        ports: [{containerPort: 53}, {containerPort: 53, protocol: UDP}, {containerPort: 80, name: http}]
        resources: {requests: {cpu: 0.5, memory: 1024Mi}, limits: {cpu: "1000m"}}
        readinessProbe: {httpGet: {path: /, port: http}}
      - {name: sidecar, image: registry.example/sidecar}
      volumes: [{name: settings, configMap: {name: settings}}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 0
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: registry.example/db, ports: [{containerPort: 5432}]}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 53, name: tcp}, {port: 53, protocol: UDP, name: udp}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: blue, mode: "0644"}
---
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: hunter2-hunter2}
data: {token: dG9rZW4tdG9rZW4=}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: backup}
spec:
  suspend: true
  schedule: "@daily"
  jobTemplate:
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: b, image: b, ports: [{containerPort: 1}]}]}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  maxReplicas: 3
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: nobody}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 53}}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: nothing}
rules: null
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}
---
apiVersion: v1
kind: Endpoints
metadata: {name: outside}
subsets: [{addresses: [{ip: 10.9.8.7}, {ip: 10.9.8.6}], ports: [{port: 80}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 80}]}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
"""


@dataclass
class World:
    """A namespace of a real cluster: ours through the adapter, others' through plain requests."""

    cluster: kubernetes.KubernetesCluster
    others: connection.Connection
    namespace: str
    scopes: dict[objects.Gvk, bool]

    def wanted(self, text: str) -> dict[objects.ObjectKey, desired.DesiredObject]:
        rendered = manifest.load(text.encode(), "all.yaml").manifests
        made = desired.build(
            rendered, scopes=self.scopes, default_namespace=self.namespace, owner=kube.OWNER, mask=kube.MASK
        )
        return dict(made.members)

    async def apply(self, one: desired.DesiredObject, *, dry_run: bool = False) -> objects.KubeObject:
        resource = await self.cluster.resource(one.gvk)
        return await self.cluster.apply(resource, one.body, expect=None, force=True, dry_run=dry_run)

    async def live(self, one: desired.DesiredObject) -> objects.KubeObject:
        return await self.cluster.get(await self.cluster.resource(one.gvk), one.key)

    async def compare(self, one: desired.DesiredObject, **more: Any) -> compare.Comparison:
        return compare.compare(one, await self.live(one), await self.apply(one, dry_run=True), mask=kube.MASK, **more)

    async def edit(self, path: str, body: Any, manager: str = "kubectl-edit", *, method: str = "PATCH") -> Any:
        return await self.others.request(
            method,
            path.format(ns=f"namespaces/{self.namespace}"),
            query={"fieldManager": manager},
            timeout=10,
            body=body,
            content_type="application/merge-patch+json" if method == "PATCH" else "application/json",
        )


async def _pause(failures: int) -> None:
    await asyncio.sleep(min(0.05 * failures, 0.5))


@pytest.fixture
async def world(kubeconfig: Path, namespace: str) -> AsyncIterator[World]:
    whose = account.Account("dev", kubeconfig)
    one = await kubernetes.connect(whose, wait=_pause)
    others = connection.Connection(await account.configure(whose))
    scopes = {gvk: resource.namespaced for gvk, resource in (await one.resources()).items()}
    made = World(one, others, namespace, scopes)
    await made.edit("/api/v1/namespaces", kube.obj("v1", "Namespace", namespace, ""), method="POST")
    yield made
    await others.close()
    await one.close()


async def applied(world: World, text: str) -> dict[objects.ObjectKey, desired.DesiredObject]:
    wanted = world.wanted(text)
    for one in wanted.values():
        await world.apply(one)
    return wanted


def pick(wanted: dict[objects.ObjectKey, desired.DesiredObject], kind: str) -> desired.DesiredObject:
    return next(one for key, one in wanted.items() if key.kind == kind)


async def test_what_was_applied_is_in_sync(world: World):
    """Every kind, with every spelling that the API server writes back differently: no drift out of nothing."""
    wanted = await applied(world, WORKLOADS)
    verdicts = {key: await world.compare(one) for key, one in wanted.items()}
    differing = {str(key): patch.as_json(one.differences) for key, one in verdicts.items() if one.differences}
    assert differing == {}
    assert all(one.verdict is compare.Verdict.IN_SYNC for one in verdicts.values())
    assert "hunter2" not in repr(verdicts)


async def test_scaling_by_hand_is_drift_with_patch_manager_and_time(world: World):
    """Through the scale subresource, as `kubectl scale` does; the patch is that one field."""
    web = pick(await applied(world, WORKLOADS), "Deployment")
    await world.edit("/apis/apps/v1/{ns}/deployments/web/scale", {"spec": {"replicas": 2}}, "kubectl")
    found = await world.compare(web)
    assert patch.as_json(found.differences) == [{"op": "replace", "path": "/spec/replicas", "value": 0}]
    (blamed,) = found.blame
    assert (blamed.manager.manager, blamed.manager.subresource) == ("kubectl", "scale")
    assert blamed.pointers == ("/spec/replicas",)
    assert blamed.manager.time == "", "the API server began to keep times of scaling: `dated` may go"
    (seen,) = managers.dated(found.blame, "2026-11-23T07:00:00Z")
    assert (seen.manager.time, seen.pointers) == ("2026-11-23T07:00:00Z", blamed.pointers)
    assert [one.manager.manager for one in found.overridden] == ["kubectl"]


async def test_a_healed_object_is_in_sync_again(world: World):
    """The apply does what the dry-run said."""
    web = pick(await applied(world, WORKLOADS), "Deployment")
    await world.edit("/apis/apps/v1/{ns}/deployments/web", {"spec": {"paused": True, "replicas": 1}})
    before = await world.compare(web)
    healed = await world.apply(web)
    assert (await world.compare(web)).verdict is compare.Verdict.IN_SYNC
    mask = kube.MASK(normalise.observed(healed))
    live = kube.MASK(normalise.observed(await world.live(web)))
    assert json_patch.apply(patch.as_json(before.differences), live) == mask


async def test_a_changed_secret_is_drift_without_a_secret(world: World):
    """The patch shows that the value changed, and neither value."""
    secret = pick(await applied(world, WORKLOADS), "Secret")
    await world.edit("/api/v1/{ns}/secrets/db", {"stringData": {"password": "changed-by-hand"}})
    found = await world.compare(secret)
    (operation,) = found.differences
    assert operation.path == ("data", "password")
    assert operation.value == kube.MASK.key.mask(b"hunter2-hunter2")
    assert "hunter2" not in repr(found)
    assert "changed-by-hand" not in repr(found)


async def test_what_others_add_is_no_drift(world: World):
    """An annotation, a label, a sidecar, a finalizer that no manifest of ours names."""
    web = pick(await applied(world, WORKLOADS), "Deployment")
    await world.edit(
        "/apis/apps/v1/{ns}/deployments/web", {"metadata": {"annotations": {"a": "b"}, "labels": {"x": "y"}}}
    )
    live = await world.live(web)
    containers = [*live["spec"]["template"]["spec"]["containers"], {"name": "injected", "image": "registry.example/i"}]
    change = {"spec": {"template": {"spec": {"containers": containers}}}}
    await world.edit("/apis/apps/v1/{ns}/deployments/web", change, "injector")
    found = await world.compare(web)
    assert patch.as_json(found.differences) == []


async def test_a_removed_port_of_a_composite_key_is_drift_of_that_port_alone(world: World):
    """Port 53 over TCP and over UDP are two items."""
    service = pick(await applied(world, WORKLOADS), "Service")
    tcp = [one for one in (await world.live(service))["spec"]["ports"] if one["protocol"] == "TCP"]
    await world.edit("/api/v1/{ns}/services/web", {"spec": {"ports": tcp}})
    found = await world.compare(service)
    assert [(one.op, one.path, one.value["protocol"]) for one in found.differences] == [
        (patch.Op.ADD, ("spec", "ports", "1"), "UDP")
    ]
    assert found.blame == (), "the API server keeps no trace of a manager that only removed"


async def test_a_field_that_left_the_manifest_is_drift_until_it_is_applied(world: World):
    """It was ours and is wanted no more."""
    await applied(world, WORKLOADS)
    shorter = world.wanted(WORKLOADS.replace('data: {colour: blue, mode: "0644"}', "data: {colour: blue}"))
    config = pick(shorter, "ConfigMap")
    found = await world.compare(config)
    assert patch.as_json(found.differences) == [{"op": "remove", "path": "/data/mode"}]
    await world.apply(config)
    assert (await world.compare(config)).verdict is compare.Verdict.IN_SYNC


async def test_what_kubectl_applied_becomes_ours_and_its_leftovers_go(world: World):
    """Client-side apply before us: after the migration, dropped fields and the last-applied annotation disappear."""
    body = kube.obj("v1", "ConfigMap", "old", world.namespace, data={"keep": "1", "drop": "2"})
    noted = objects.with_annotation(body, "kubectl.kubernetes.io/last-applied-configuration", '{"data":{"drop":"2"}}')
    created = await world.edit("/api/v1/{ns}/configmaps", noted, "kubectl-client-side-apply", method="POST")
    manifest_now = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\ndata: {keep: '1'}\n"
    old = pick(world.wanted(manifest_now), "ConfigMap")
    migration = managers.migration(created)
    assert migration is not None
    resource = await world.cluster.resource(old.gvk)
    migrated = await world.cluster.release(resource, old.key, migration)
    with pytest.raises(errors.Transient):
        await world.cluster.release(resource, old.key, migration)
    assert managers.migration(migrated) is None
    found = await world.compare(old)
    assert {pointer["path"] for pointer in patch.as_json(found.differences)} >= {"/data/drop"}
    healed = await world.apply(old)
    assert healed["data"] == {"keep": "1"}
    assert "kubectl.kubernetes.io/last-applied-configuration" not in healed["metadata"]["annotations"]
    assert (await world.compare(old)).verdict is compare.Verdict.IN_SYNC


async def test_fields_below_an_untyped_ancestor_are_compared(world: World):
    """A custom resource that preserves unknown fields: a nested change is seen (argo-cd#28818), others' are not."""
    plural = f"engines{world.namespace.replace('-', '')}"
    group = "decklog.example"
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural, "kind": plural.capitalize()},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "configuration": {
                                            "type": "object",
                                            "x-kubernetes-preserve-unknown-fields": True,
                                            "properties": {"value": {"type": "string"}},
                                        }
                                    },
                                }
                            },
                        }
                    },
                }
            ],
        },
    }
    await world.edit("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd, method="POST")
    world.scopes.update(desired.crd_scopes(crd))
    head = f"apiVersion: {group}/v1\nkind: {plural.capitalize()}\nmetadata: {{name: e}}\n"
    (engine,) = world.wanted(head + "spec: {configuration: {value: new}}").values()
    async with asyncio.timeout(20):
        while True:
            try:
                await world.cluster.resources(refresh=True)
                await world.apply(engine)
                break
            except (ports.NotFound, ports.UnknownKind, errors.Transient):
                await asyncio.sleep(0.1)
    path = f"/apis/{group}/v1/{{ns}}/{plural}/e"
    await world.edit(path, {"spec": {"configuration": {"other": 1}}})
    assert (await world.compare(engine)).verdict is compare.Verdict.IN_SYNC
    await world.edit(path, {"spec": {"configuration": {"value": "old"}}})
    assert patch.as_json((await world.compare(engine)).differences) == [
        {"op": "replace", "path": "/spec/configuration/value", "value": "new"}
    ]
    definition = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{group}"
    await world.others.request("DELETE", definition, query={}, timeout=10)
