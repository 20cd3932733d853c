"""The cluster port on a real API server."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from decklog.adapters import watching
from decklog.adapters.kubernetes import account, connection, discovery, failures
from decklog.model import objects
from decklog.ports import cluster

_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_PAGE = "500"
_KUBE_SYSTEM = "/api/v1/namespaces/kube-system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds.

    Attributes:
        write: one write or single read.
        read: one page of a list.
        watch: how long one connection is asked to last.
        silence: longest pause in a watch; the API server sends a bookmark about once a minute.
    """

    write: float = 10.0
    read: float = 30.0
    watch: float = 600.0
    silence: float = 150.0


class KubernetesCluster(cluster.Cluster):
    """One API server under one account. Watches have connections of their own: each holds one for minutes."""

    def __init__(
        self,
        calls: connection.Connection,
        watches: connection.Connection,
        *,
        limits: Limits,
        wait: Callable[[int], Awaitable[None]],
    ) -> None:
        self._calls = calls
        self._watches = watches
        self._limits = limits
        self._wait = wait
        self._known: dict[objects.Gvk, cluster.Resource] = {}
        self._silent: frozenset[tuple[str, str]] = frozenset()
        self._discovering = asyncio.Lock()

    @property
    def request_timeout(self) -> float:
        """Seconds after which a write is given up."""
        return self._limits.write

    async def identity(self) -> str:
        """The uid of `kube-system`, asked anew."""
        return objects.uid(await self._call("GET", _KUBE_SYSTEM, {}))

    async def resources(self, *, refresh: bool = False) -> Mapping[objects.Gvk, cluster.Resource]:
        """The kinds served."""
        before = self._known
        async with self._discovering:
            # Whoever waited here while another asked takes that answer.
            if not self._known or (refresh and self._known is before):
                answers = [await self._call("GET", path, {}, accept=discovery.ACCEPT) for path in discovery.PATHS]
                self._silent = frozenset().union(*map(discovery.unreachable, answers))
                self._known = {gvk: one for answer in answers for gvk, one in discovery.parse(answer).items()}
        return self._known

    async def resource(self, gvk: objects.Gvk) -> cluster.Resource:
        """How a kind is served."""
        found = (await self.resources()).get(gvk) or (await self.resources(refresh=True)).get(gvk)
        if found is not None:
            return found
        if (gvk.group, gvk.version) in self._silent:
            raise cluster.Unavailable(f"the server behind {gvk.api_version} does not answer", where=str(gvk))
        raise cluster.UnknownKind(
            "the cluster does not serve this kind",
            where=str(gvk),
            hint="Install the CustomResourceDefinition that brings it, or correct apiVersion and kind",
        )

    async def list_all(self, resource: cluster.Resource, *, namespace: str = "") -> cluster.Listing:
        """Every object of a kind, page by page."""
        path = discovery.path(resource, namespace=namespace)
        found: list[objects.KubeObject] = []
        token = ""
        while True:
            query = {"limit": _PAGE, **({"continue": token} if token else {})}
            page = await self._call("GET", path, query, timeout=self._limits.read)
            found.extend(_typed(resource, item) for item in page.get("items") or ())
            token = str(objects.metadata(page).get("continue") or "")
            if not token:
                return cluster.Listing(tuple(found), objects.resource_version(page))

    def watch(self, resource: cluster.Resource, *, namespace: str = "") -> AsyncGenerator[cluster.Signal, None]:
        """Follow a kind for ever."""
        return watching.forever(
            watching.Rung(
                list_all=lambda: self.list_all(resource, namespace=namespace),
                connect=lambda version: self._connect(resource, namespace, version),
                wait=self._wait,
            )
        )

    async def get(self, resource: cluster.Resource, key: objects.ObjectKey) -> objects.KubeObject:
        """Read one object."""
        return _object(await self._call("GET", _place(resource, key), {}))

    async def apply(
        self,
        resource: cluster.Resource,
        body: objects.KubeObject,
        *,
        expect: cluster.Precondition | None,
        force: bool,
        dry_run: bool,
    ) -> objects.KubeObject:
        """Server-side apply. A stale uid gives 422 and a stale resourceVersion 409, so both go along."""
        query = {
            "fieldManager": cluster.FIELD_MANAGER,
            "force": "true" if force else "false",
            "fieldValidation": "Strict",
            **({"dryRun": "All"} if dry_run else {}),
        }
        path = _place(resource, objects.key(body))
        return _object(await self._call("PATCH", path, query, body=_expecting(body, expect), content_type=_APPLY))

    async def release(
        self, resource: cluster.Resource, key: objects.ObjectKey, patch: Sequence[objects.KubeObject]
    ) -> objects.KubeObject:
        """Apply a JSON Patch to the bookkeeping of an object."""
        query = {"fieldManager": cluster.FIELD_MANAGER}
        path = _place(resource, key)
        return _object(await self._call("PATCH", path, query, body=list(patch), content_type=_JSON_PATCH))

    async def delete(
        self, resource: cluster.Resource, key: objects.ObjectKey, *, expect: cluster.Precondition, dry_run: bool
    ) -> None:
        """Delete one incarnation, at one version, of an object."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": expect.uid, "resourceVersion": expect.resource_version},
            **({"dryRun": ["All"]} if dry_run else {}),
        }
        await self._call("DELETE", _place(resource, key), {}, body=options)

    async def close(self) -> None:
        """Disconnect."""
        await self._watches.close()
        await self._calls.close()

    async def _call(self, method: str, path: str, query: Mapping[str, str], **more: Any) -> Any:
        return await self._calls.request(method, path, query=query, **{"timeout": self._limits.write, **more})

    async def _connect(
        self, resource: cluster.Resource, namespace: str, version: str
    ) -> AsyncGenerator[watching.Event, None]:
        path = discovery.path(resource, namespace=namespace)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(int(self._limits.watch)),
        }
        async with aclosing(self._watches.lines(path, query=query, silence=self._limits.silence)) as lines:
            async for line in lines:
                yield watching.Connected() if line is None else _event(resource, line, path)


async def connect(
    whose: account.Account,
    *,
    wait: Callable[[int], Awaitable[None]],
    limits: Limits | None = None,
    may_write: Callable[[], bool] = lambda: True,
) -> KubernetesCluster:
    """The cluster of an account. No request is made yet.

    `wait` is what a watch does between failures; `may_write` is asked right before a write leaves.
    """
    configuration = await account.configure(whose)
    calls = connection.Connection(configuration, may_write=may_write)
    watches = connection.Connection(configuration)
    return KubernetesCluster(calls, watches, limits=limits or Limits(), wait=wait)


def _event(resource: cluster.Resource, line: Any, path: str) -> watching.Event:
    """A line of a watch. The expiry of its version arrives as HTTP 200 and one line of type ERROR."""
    body = line.get("object") if isinstance(line, dict) else None
    if not isinstance(body, dict):
        raise cluster.Unavailable("the API server sent a line that is no watch event", where=path)
    match line.get("type"):
        case "ADDED" | "MODIFIED":
            return cluster.Changed(_typed(resource, body))
        case "DELETED":
            return cluster.Deleted(_typed(resource, body))
        case "BOOKMARK":
            return watching.Bookmark(objects.resource_version(body))
        case _:
            raise failures.explain(int(body.get("code") or 500), body, where=path)


def _typed(resource: cluster.Resource, item: objects.KubeObject) -> objects.KubeObject:
    """The items of a list do not repeat what they are."""
    return {**item, "apiVersion": resource.gvk.api_version, "kind": resource.gvk.kind}


def _object(answer: Any) -> objects.KubeObject:
    if not isinstance(answer, dict) or not answer.get("kind"):
        raise cluster.Unavailable("the API server's answer is no object")
    return answer


def _place(resource: cluster.Resource, key: objects.ObjectKey) -> str:
    if resource.namespaced and not key.namespace:
        raise cluster.Rejected("the kind is namespaced and the object names no namespace", where=key.display)
    return discovery.path(resource, namespace=key.namespace, name=key.name)


def _expecting(body: objects.KubeObject, expect: cluster.Precondition | None) -> objects.KubeObject:
    if expect is None:
        return body
    expected = {"uid": expect.uid, "resourceVersion": expect.resource_version}
    return {**body, "metadata": {**objects.metadata(body), **expected}}
