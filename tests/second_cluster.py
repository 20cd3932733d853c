"""A second real API server beside the stack's own: another cluster (its own `kube-system`, its own objects), cheaply.

It runs on the same etcd under another prefix and has no controllers: enough for whatever has no status.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import cluster, control_plane, folder, kubeconfig, settings
from tests import ports
from tests import stack as stacks

CONTEXT = "other"
READY_SECONDS = 60.0


@contextmanager
def running(stack: stacks.Stack, home: Path) -> Iterator[Path]:
    """Start it; the kubeconfig that is given names the stack's own cluster `dev`, and this one `other`."""
    programs = control_plane.existing(
        settings.read(os.environ, root=stacks.ROOT, home=Path.home(), profile=settings.Profile.TEST, state=stack.state),
        os.environ.get("PATH"),
    )
    assert programs is not None, "the stack's own control plane runs, so its programs are there"
    etcd = folder.Folder(stack.state).sockets() / "etcd"
    pki = stack.state / "cluster"
    with ports.held() as port, (home / "other-apiserver.log").open("wb") as log:
        arguments = [*cluster.apiserver_arguments(pki, etcd, port), f"--etcd-prefix=/{stacks.unique('other')}"]
        process = subprocess.Popen([*programs.argv["kube-apiserver"], *arguments], stdout=log, stderr=log, cwd=home)
        try:
            file = home / "two-clusters"
            file.write_text(_both(stack.kubeconfig.read_text(), kubeconfig.own(f"https://127.0.0.1:{port}", pki)))
            _wait(file, process)
            yield file
        finally:
            process.terminate()
            process.wait(30)


def _both(own: str, other: str) -> str:
    """One kubeconfig of two: the second's entries get the second's name."""
    first, second = json.loads(own), json.loads(other)
    for kind in ("clusters", "users", "contexts"):
        for entry in second[kind]:
            entry["name"] = CONTEXT
    second["contexts"][0]["context"] = {"cluster": CONTEXT, "user": CONTEXT}
    return json.dumps({**first, **{kind: first[kind] + second[kind] for kind in ("clusters", "users", "contexts")}})


def _wait(file: Path, process: "subprocess.Popen[bytes]") -> None:
    """Until it has made its `kube-system`, whose uid is its name."""
    kubectl = (str(Path(sys.executable).parent / "kubectl"), "--kubeconfig", str(file), "--context", CONTEXT)
    deadline = time.monotonic() + READY_SECONDS
    while True:
        asked = subprocess.run([*kubectl, "get", "namespace", "kube-system"], capture_output=True, check=False)
        if asked.returncode == 0:
            return
        assert process.poll() is None, "the second API server ended"
        assert time.monotonic() < deadline, asked.stderr.decode()
        time.sleep(0.2)
