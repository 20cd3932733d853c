"""A cluster in memory: flat ConfigMaps, and errors as scripted. No second server-side apply.

A field is an entry of `data`, or an annotation or label. Managers own fields one by one, versions grow by one, and
deletions and watches behave as the API server's: enough to prove the services' own logic under injected weather.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from decklog.adapters import watching
from decklog.model import errors, objects
from decklog.ports import cluster

CONFIG_MAP = objects.Gvk("", "v1", "ConfigMap")

_RESOURCE = cluster.Resource(
    gvk=CONFIG_MAP,
    plural="configmaps",
    namespaced=True,
    verbs=frozenset({"get", "list", "watch", "create", "patch", "delete"}),
)
_TIME = "2026-01-01T00:00:00Z"

Field = tuple[str, str]
"""`("data", "colour")`; the first is `data`, `annotations` or `labels`."""

Fields = dict[Field, str]


@dataclass(slots=True)
class _Stored:
    """A ConfigMap: its fields, and which of them each manager owns."""

    key: objects.ObjectKey
    uid: str
    version: int
    fields: Fields
    owners: dict[str, set[Field]]

    def render(self) -> objects.KubeObject:
        parts: dict[str, dict[str, str]] = {"data": {}, "annotations": {}, "labels": {}}
        for (part, name), value in sorted(self.fields.items()):
            parts[part][name] = value
        metadata: dict[str, Any] = {
            "name": self.key.name,
            "namespace": self.key.namespace,
            "uid": self.uid,
            "resourceVersion": str(self.version),
            "creationTimestamp": _TIME,
            "managedFields": [_managed(name, fields) for name, fields in sorted(self.owners.items()) if fields],
            **{part: parts[part] for part in ("annotations", "labels") if parts[part]},
        }
        body: objects.KubeObject = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        return {**body, "data": parts["data"]} if parts["data"] else body


class MemoryCluster(cluster.Cluster):
    """One cluster. `script` is asked before every call and may return the error to raise: `("apply", key)`."""

    request_timeout = 1.0

    def __init__(
        self,
        uid: str = "00000000-0000-4000-8000-000000000001",
        *,
        wait: Callable[[int], Awaitable[None]],
        script: Callable[[str, objects.ObjectKey | None], errors.DecklogError | None] = lambda _call, _key: None,
    ) -> None:
        self.uid = uid
        self.script = script
        self.calls: list[tuple[str, objects.ObjectKey | None]] = []
        self._wait = wait
        self._version = 1
        self._made = 0
        self._stored: dict[objects.ObjectKey, _Stored] = {}
        self._history: list[tuple[int, watching.Event]] = []
        self._compacted = 0
        self._generation = 0
        self._news = asyncio.Event()

    async def identity(self) -> str:
        """The uid it was given."""
        self._begin("identity", None)
        return self.uid

    async def resources(self, *, refresh: bool = False) -> Mapping[objects.Gvk, cluster.Resource]:  # noqa: ARG002 (port)
        """ConfigMaps, nothing else."""
        self._begin("resources", None)
        return {CONFIG_MAP: _RESOURCE}

    async def resource(self, gvk: objects.Gvk) -> cluster.Resource:
        """ConfigMaps, nothing else."""
        if gvk != CONFIG_MAP:
            raise cluster.UnknownKind("the cluster does not serve this kind", where=str(gvk))
        return _RESOURCE

    async def list_all(self, resource: cluster.Resource, *, namespace: str = "") -> cluster.Listing:  # noqa: ARG002 (port)
        """Every ConfigMap."""
        self._begin("list", None)
        found = [one.render() for key, one in sorted(self._stored.items()) if namespace in ("", key.namespace)]
        return cluster.Listing(tuple(found), str(self._version))

    def watch(self, resource: cluster.Resource, *, namespace: str = "") -> AsyncGenerator[cluster.Signal, None]:
        """Follow them for ever."""
        return watching.forever(
            watching.Rung(
                list_all=lambda: self.list_all(resource, namespace=namespace),
                connect=lambda version: self._connect(int(version), namespace),
                wait=self._wait,
            )
        )

    async def get(self, resource: cluster.Resource, key: objects.ObjectKey) -> objects.KubeObject:  # noqa: ARG002 (port)
        """Read one."""
        self._begin("get", key)
        return self._found(key).render()

    async def apply(
        self,
        resource: cluster.Resource,  # noqa: ARG002 (port)
        body: objects.KubeObject,
        *,
        expect: cluster.Precondition | None,
        force: bool,
        dry_run: bool,
    ) -> objects.KubeObject:
        """Own the fields of `body`, and let go of those owned before and not in it."""
        key = objects.key(body)
        self._begin("dry-run" if dry_run else "apply", key)
        self._expect(key, expect)
        return self._write(key, _fields(body), manager=cluster.FIELD_MANAGER, force=force, dry_run=dry_run)

    async def release(
        self,
        resource: cluster.Resource,
        key: objects.ObjectKey,
        patch: Sequence[objects.KubeObject],
    ) -> objects.KubeObject:
        """No flat object has bookkeeping to give up: nothing here was ever applied by kubectl."""
        raise cluster.Rejected(f"no bookkeeping to patch with {len(patch)} steps", where=f"{resource.plural} {key}")

    async def delete(
        self,
        resource: cluster.Resource,  # noqa: ARG002 (port)
        key: objects.ObjectKey,
        *,
        expect: cluster.Precondition,
        dry_run: bool,
    ) -> None:
        """Delete one."""
        self._begin("delete", key)
        self._found(key)
        self._expect(key, expect)
        if not dry_run:
            self.remove(key)

    async def close(self) -> None:
        """Nothing to close."""

    # What others do to the cluster.

    def edit(self, key: objects.ObjectKey, fields: Mapping[Field, str], *, manager: str) -> objects.KubeObject:
        """Another manager sets fields by force, creating the object if need be."""
        kept = self._stored[key].owners.get(manager, set()) if key in self._stored else set()
        now = self._stored[key].fields if key in self._stored else {}
        return self._write(
            key, {**{field: now[field] for field in kept}, **fields}, manager=manager, force=True, dry_run=False
        )

    def remove(self, key: objects.ObjectKey) -> None:
        """Somebody deletes the object."""
        gone = self._stored.pop(key)
        gone.version = self._next()
        self._record(cluster.Deleted(gone.render()))

    def expire(self) -> None:
        """Forget what happened so far: watches from before must list again."""
        self._compacted = self._version
        self._history.clear()
        self.interrupt()

    def interrupt(self) -> None:
        """Cut every watch connection."""
        self._generation += 1
        self._wake()

    def stored(self) -> dict[objects.ObjectKey, objects.KubeObject]:
        """Everything there is."""
        return {key: one.render() for key, one in self._stored.items()}

    def _begin(self, call: str, key: objects.ObjectKey | None) -> None:
        self.calls.append((call, key))
        error = self.script(call, key)
        if error is not None:
            raise error

    def _expect(self, key: objects.ObjectKey, expect: cluster.Precondition | None) -> None:
        stored = self._stored.get(key)
        if expect is None:
            return
        if stored is None or (stored.uid, str(stored.version)) != (expect.uid, expect.resource_version):
            raise cluster.Stale("the object is no longer the one that was read", where=key.display)

    def _found(self, key: objects.ObjectKey) -> _Stored:
        if key not in self._stored:
            raise cluster.NotFound("not found", where=key.display)
        return self._stored[key]

    def _write(
        self, key: objects.ObjectKey, fields: Fields, *, manager: str, force: bool, dry_run: bool
    ) -> objects.KubeObject:
        before = self._stored.get(key)
        after = _applied(before, key, fields, manager=manager, force=force)
        if before is not None and before.render() == after.render():
            return after.render()
        if before is None:
            after.uid = f"{self.uid[:-6]}{self._made + 1:06d}"
        after.version = self._version + 1
        if not dry_run:
            self._made += before is None
            after.version = self._next()
            self._stored[key] = after
            self._record(cluster.Changed(after.render()))
        return after.render()

    def _next(self) -> int:
        self._version += 1
        return self._version

    def _record(self, event: watching.Event) -> None:
        self._history.append((self._version, event))
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _connect(self, version: int, namespace: str) -> AsyncGenerator[watching.Event, None]:
        self._begin("watch", None)
        if version < self._compacted:
            raise cluster.Expired(f"resourceVersion {version} is too old")
        generation = self._generation
        yield watching.Connected()
        while generation == self._generation:
            news = self._news
            for at, event in [(at, event) for at, event in self._history if at > version]:
                version = at
                if namespace in ("", _namespace(event)):
                    yield event
            if not any(at > version for at, _ in self._history):
                await news.wait()
        raise cluster.Unavailable("the connection was cut")


def config_map(namespace: str, name: str, fields: Mapping[Field, str]) -> objects.KubeObject:
    """A manifest."""
    parts: dict[str, dict[str, str]] = {}
    for (part, field), value in fields.items():
        parts.setdefault(part, {})[field] = value
    data = parts.pop("data", {})
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, **parts},
        "data": data,
    }


def _applied(before: _Stored | None, key: objects.ObjectKey, fields: Fields, *, manager: str, force: bool) -> _Stored:
    """The object after `manager` declared exactly these fields. Raises `Conflict` unless forced."""
    owners = {name: set(owned) for name, owned in before.owners.items()} if before else {}
    values = dict(before.fields) if before else {}
    mine = owners.get(manager, set())
    taken = [
        cluster.FieldConflict(other, ".".join(field))
        for other, owned in sorted(owners.items())
        for field in sorted(owned & fields.keys())
        if other != manager and values[field] != fields[field]
    ]
    if taken and not force:
        raise cluster.Conflict(f"{len(taken)} fields are owned by others", where=key.display, conflicts=taken)
    for other, owned in owners.items():
        if other != manager:
            owned.difference_update(field for field in fields if values.get(field) != fields[field])
    for field in mine - fields.keys():
        if not any(field in owned for other, owned in owners.items() if other != manager):
            values.pop(field, None)
    owners[manager] = set(fields)
    uid, version = (before.uid, before.version) if before else ("", 0)
    return _Stored(key, uid, version, {**values, **fields}, owners)


def _fields(body: objects.KubeObject) -> Fields:
    if objects.gvk(body) != CONFIG_MAP:
        raise cluster.UnknownKind("the cluster does not serve this kind", where=str(objects.gvk(body)))
    if not isinstance(body.get("data", {}), dict) or not all(
        isinstance(one, str) for one in body.get("data", {}).values()
    ):
        raise cluster.Rejected(
            "failed to create typed patch object: data must be text", where=objects.key(body).display
        )
    data: Fields = {("data", name): value for name, value in body.get("data", {}).items()}
    annotations: Fields = {("annotations", name): value for name, value in objects.annotations(body).items()}
    labels: Fields = {("labels", name): value for name, value in objects.labels(body).items()}
    return {**data, **annotations, **labels}


def _managed(manager: str, fields: set[Field]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for part, name in sorted(fields):
        holder = tree if part == "data" else tree.setdefault("f:metadata", {})
        holder.setdefault(f"f:{part}", {})[f"f:{name}"] = {}
    return {
        "manager": manager,
        "operation": "Apply" if manager == cluster.FIELD_MANAGER else "Update",
        "apiVersion": "v1",
        "time": _TIME,
        "fieldsType": "FieldsV1",
        "fieldsV1": tree,
    }


def _namespace(event: watching.Event) -> str:
    return objects.key(event.object).namespace if isinstance(event, cluster.Changed | cluster.Deleted) else ""
