"""A Kubernetes control plane on loopback: etcd, API server, controllers, scheduler, and KWOK playing the nodes."""

import asyncio
import json
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import context, control_plane, folder, keeper, kubeconfig, pki, processes, redacting

PORTS = ("kubernetes",)
NODES = 2

CONTROLLERS = (
    "namespace-controller", "garbage-collector-controller", "deployment-controller", "replicaset-controller",
    "statefulset-controller", "daemonset-controller", "job-controller", "cronjob-controller",
    "endpointslice-controller", "serviceaccount-controller", "root-ca-certificate-publisher-controller",
    "node-lifecycle-controller", "pod-garbage-collector-controller", "horizontal-pod-autoscaler-controller",
    "disruption-controller", "clusterrole-aggregation-controller", "resourcequota-controller",
    "ttl-after-finished-controller",
)  # fmt: skip
"""Those that decide something without real nodes, volumes or a cloud."""

STOP_ORDER = ("kwok", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
"""The API server before etcd: with etcd gone first it ignores SIGTERM for 30 seconds."""


@dataclass(frozen=True, slots=True)
class Api:
    """The API server as its administrator reaches it, for the few requests of the start."""

    url: str
    trust: ssl.SSLContext

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> str | None:
        """The answer's text; None when nobody answers or the answer is an error (the caller asks again)."""
        return await asyncio.to_thread(self._request, method, path, body)

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> str | None:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/apply-patch+yaml"}
        request = urllib.request.Request(self.url + path, method=method, data=data, headers=headers)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.trust)
        )
        try:
            with opener.open(request, timeout=5) as answer:
                return str(answer.read().decode())
        except (OSError, urllib.error.HTTPError):
            return None


def kubeconfig_of(ctx: context.Context) -> Path:
    """Where the kubeconfig is, or will be."""
    return ctx.state.part("cluster") / "kubeconfig"


async def bring_up(ctx: context.Context) -> Path:
    """Start the control plane, or take the given context; returns the kubeconfig's path once it serves."""
    home = ctx.state.part("cluster")
    file = kubeconfig_of(ctx)
    if ctx.wanted.context is not None and ctx.wanted.kubeconfig is not None:
        await asyncio.to_thread(kubeconfig.extract, ctx.wanted.kubeconfig, ctx.wanted.context, file)
        return file
    programs = await control_plane.obtain(ctx)
    if not (home / "ca.crt").exists():
        pki.make(home)
    url = f"https://127.0.0.1:{ctx.ports['kubernetes']}"
    folder.write_atomically(file, kubeconfig.own(url, home))
    launcher = _Launcher(ctx, home, programs, Api(url, _trust(home)))
    await launcher.core()
    await launcher.controllers()
    ctx.progress.say("cluster", "ready")
    return file


def _trust(home: Path) -> ssl.SSLContext:
    trust = ssl.create_default_context(cafile=home / "ca.crt")
    trust.load_cert_chain(home / "admin.crt", home / "admin.key")
    return trust


@dataclass(frozen=True, slots=True)
class _Launcher:
    ctx: context.Context
    home: Path
    programs: control_plane.Programs
    api: Api

    async def core(self) -> None:
        """Etcd and the API server."""
        socket = self.ctx.state.sockets() / "etcd"
        await self._keep("etcd", etcd_arguments(self.home / "etcd", socket), self._always)
        arguments = apiserver_arguments(self.home, socket, self.ctx.ports["kubernetes"])
        await self._keep("kube-apiserver", arguments, self._api_is_ready)

    async def controllers(self) -> None:
        """Controllers, scheduler and nodes, until the default service account exists and a node takes pods."""
        connect = f"--kubeconfig={self.home / 'kubeconfig'}"
        quick = (
            "--bind-address=127.0.0.1",
            "--secure-port=0",
            "--leader-elect=false",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        )
        shutil.copyfile(control_plane.SOURCES / "stages.yaml", self.home / "stages.yaml")
        for index in range(NODES):
            await self.api.request(
                "PATCH", f"/api/v1/nodes/node-{index}?fieldManager=local-stack&force=true", node(index)
            )
        await self._keep("kwok", (connect, *kwok_arguments(self.home / "stages.yaml")), self._always)
        await self._keep("kube-scheduler", (connect, *quick), self._always)
        await self._keep(
            "kube-controller-manager", (connect, *quick, *controller_arguments(self.home)), self._cluster_is_ready
        )

    async def _keep(self, name: str, arguments: tuple[str, ...], ready: keeper.Probe) -> None:
        program = processes.Program(
            name=name,
            argv=(*self.programs.argv[name], *arguments),
            cwd=self.home,
            log=self.ctx.state.log(name),
            env=self.ctx.environment(HOME=str(self.home)),
            redactor=redacting.Redactor if name == "kube-apiserver" else None,
        )
        await self.ctx.keeper.keep(keeper.Unit(program=program, ready=ready))

    async def _always(self) -> bool:
        return True

    async def _api_is_ready(self) -> bool:
        return await self.api.request("GET", "/readyz") == "ok"

    async def _cluster_is_ready(self) -> bool:
        account = await self.api.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
        nodes = await self.api.request("GET", "/api/v1/nodes")
        return account is not None and nodes is not None and all(map(takes_pods, json.loads(nodes)["items"]))


def takes_pods(shown: Mapping[str, Any]) -> bool:
    """Whether a Node is Ready and without taints."""
    conditions = shown.get("status", {}).get("conditions") or []
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
    return ready and not shown["spec"].get("taints")


def node(index: int) -> dict[str, Any]:
    """A Node that KWOK plays."""
    name = f"node-{index}"
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    metadata = {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}


def etcd_arguments(data: Path, socket: Path) -> tuple[str, ...]:
    """Etcd on unix sockets only; the TCP-looking addresses are names that a member alone never dials."""
    peer = "http://127.0.0.1:2380"
    return (
        "--name=dev", f"--data-dir={data}", f"--listen-client-urls=unix://{socket}", f"--advertise-client-urls={peer}",
        f"--listen-peer-urls=unix://{socket}-peer", f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=dev={peer}",
        # Survives killed processes; only a crash of the machine can lose the last writes of this toy cluster.
        "--unsafe-no-fsync", "--log-level=warn",
    )  # fmt: skip


def apiserver_arguments(home: Path, etcd: Path, port: int) -> tuple[str, ...]:
    """The API server on loopback with RBAC, client certificates and a quick stop."""
    return (
        f"--etcd-servers=unix://{etcd}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
        f"--secure-port={port}", f"--tls-cert-file={home}/apiserver.crt",
        f"--tls-private-key-file={home}/apiserver.key",
        f"--client-ca-file={home}/ca.crt", f"--service-account-key-file={home}/sa.pub",
        f"--service-account-signing-key-file={home}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC", "--endpoint-reconciler-type=none", "--profiling=false", "--allow-privileged=true",
        "--anonymous-auth=false", "--shutdown-delay-duration=0s", "--shutdown-watch-termination-grace-period=0s",
    )  # fmt: skip


def controller_arguments(home: Path) -> tuple[str, ...]:
    """The controllers that matter without real machines, quick to clean up namespaces."""
    return (
        f"--controllers={','.join(CONTROLLERS)}", f"--service-account-private-key-file={home}/sa.key",
        f"--root-ca-file={home}/ca.crt", "--concurrent-namespace-syncs=20", "--namespace-sync-period=5m",
        "--concurrent-gc-syncs=10",
    )  # fmt: skip


def kwok_arguments(stages: Path) -> tuple[str, ...]:
    """KWOK for every node. With another node port than 0 it would listen on all addresses."""
    return (
        f"--config={stages}", "--manage-all-nodes=true", "--node-ip=127.0.0.1", "--cidr=10.64.0.1/16",
        "--node-port=0", "--node-lease-duration-seconds=40",
    )  # fmt: skip
