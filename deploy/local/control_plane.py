"""The control plane's five programs: given, installed, cached, or built from Go modules into one binary."""

import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local import cache, context, errors, processes, settings

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
SOURCES = Path(__file__).with_name("devcluster")
GO = (1, 26)
"""Go 1.27's encoding/json/v2 breaks Kubernetes 1.36's OpenAPI; older ones cannot read the go.mod."""

FLAGS = ("-mod=readonly", "-buildvcs=false", "-trimpath", "-gcflags=all=-dwarf=false")
VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")

WAYS_OUT = """\
  - make up CONTEXT=NAME             use a cluster of your kubeconfig (kind, minikube, ...); nothing is created in it
                                     without DEMO=1
  - install Go 1.26                  one binary is then built here (100 MB to fetch, 5 to 9 minutes, once)
  - DEV_CLUSTER_BIN=FILE             a dev-cluster binary that was built elsewhere from deploy/local/devcluster
  - KUBEBUILDER_ASSETS=FOLDER        with etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok"""


@dataclass(frozen=True, slots=True)
class Programs:
    """How to start each of the five programs."""

    argv: Mapping[str, tuple[str, ...]]


def kubernetes_version(go_mod: str) -> str:
    """The version of k8s.io/kubernetes that the go.mod requires (`v1.36.3`)."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise errors.StackError(
            "deploy/local/devcluster/go.mod does not require k8s.io/kubernetes: restore it from Git"
        )
    return found[1]


def link_flags(version: str) -> str:
    """The linker flags that stamp the Kubernetes version; without them `kubectl version` fails."""
    major, minor = version.removeprefix("v").split(".")[:2]
    stamps = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "unknown",
        "gitTreeState": "clean",
    }
    defines = (f"-X {package}.{name}={value}" for package in VERSION_PACKAGES for name, value in stamps.items())
    return " ".join(("-s", "-w", *defines))


def entry() -> str:
    """The cache entry: a hash of all that decides the binary (builds are reproducible within a Go release)."""
    sources = [(SOURCES / name).read_bytes() for name in ("go.mod", "go.sum", "main.go")]
    target = f"{platform.system()}-{platform.machine()} go{GO} {FLAGS}".encode()
    return f"dev-cluster-{cache.key([*sources, target])}"


def existing(wanted: settings.Settings, path: str | None) -> Programs | None:
    """The programs without building: DEV_CLUSTER_BIN, then KUBEBUILDER_ASSETS or PATH if all are there, then the cache.

    Raises StackError when DEV_CLUSTER_BIN is set and cannot be run.
    """
    if wanted.dev_cluster_bin is not None:
        if not shutil.which(str(wanted.dev_cluster_bin)):
            raise errors.StackError(f"DEV_CLUSTER_BIN={wanted.dev_cluster_bin} is not a program: correct or unset it.")
        return _combined(wanted.dev_cluster_bin)
    for folder in (str(wanted.kubebuilder_assets) if wanted.kubebuilder_assets else None, path):
        found = {name: shutil.which(name, path=folder) for name in PROGRAMS} if folder else {}
        if found and all(found.values()):
            return Programs({name: (str(program),) for name, program in found.items()})
    built = cache.find(wanted.cache, entry())
    return _combined(built / "dev-cluster") if built is not None else None


def go_program(path: str | None) -> Path | None:
    """The PATH's Go when its release can build the control plane."""
    found = shutil.which("go", path=path)
    if found is None:
        return None
    shown = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd=SOURCES).stdout
    version = re.match(r"go(\d+)\.(\d+)", shown)
    return Path(found) if version and (int(version[1]), int(version[2])) == GO else None


def require(wanted: settings.Settings, path: str | None) -> None:
    """Say at once, before anything is started, that there is no way to a cluster.

    Raises Missing with the ways out.
    """
    if wanted.own_cluster and existing(wanted, path) is None and go_program(path) is None:
        found = shutil.which("go", path=path)
        have = f"{found} is another release" if found else "there is no go on PATH"
        what = f"Missing: a Kubernetes cluster, or Go 1.26 to build one ({have}). Any one of these will do:"
        raise errors.Missing(f"{what}\n{WAYS_OUT}")


async def obtain(ctx: context.Context) -> Programs:
    """The programs, built when there is no other way; `require` was asked before."""
    path = ctx.environment().get("PATH")
    found = existing(ctx.wanted, path)
    if found is not None:
        return found
    compiler = go_program(path)
    if compiler is None:
        raise errors.Missing("Go 1.26 is gone since the start: run `make up` again")
    folder = await ctx.cached("cluster", entry(), lambda target: _build(ctx, compiler, target))
    return _combined(folder / "dev-cluster")


def _combined(binary: Path) -> Programs:
    return Programs({name: (str(binary), name) for name in PROGRAMS})


async def _build(ctx: context.Context, compiler: Path, target: Path) -> None:
    flags = link_flags(kubernetes_version((SOURCES / "go.mod").read_text()))
    program = processes.Program(
        name="build-dev-cluster",
        argv=(str(compiler), "build", *FLAGS, "-ldflags", flags, "-o", str(target / "dev-cluster"), "."),
        cwd=SOURCES,
        log=ctx.state.log("build-dev-cluster"),
        env=ctx.environment(CGO_ENABLED="0", GOGC="400", GOFLAGS="", GOWORK="off"),
    )
    async with ctx.progress.step(
        "cluster", "building the control plane from Go modules, once per machine", expected=420
    ):
        await ctx.run(program)
