"""The kubeconfig that the stack hands out: our own cluster's, or one context of the user's."""

import base64
import json
import subprocess
from pathlib import Path

from deploy.local import context, errors, folder

CONTEXT = "dev"
"""Our own cluster's context and name."""


def own(server: str, pki: Path) -> str:
    """A kubeconfig (JSON is YAML) for the administrator of our cluster."""

    def embedded(name: str) -> str:
        return base64.b64encode((pki / name).read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": embedded("ca.crt")}
    user = {"client-certificate-data": embedded("admin.crt"), "client-key-data": embedded("admin.key")}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "users": [{"name": "admin", "user": user}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": "admin"}}],
        },
        indent=1,
    )


def extract(source: Path, name: str, target: Path) -> None:
    """Copy the one context, with its credentials, so that nothing can switch it under us.

    Raises StackError when the file or the context is not there, or the cluster does not answer.
    """
    kubectl = str(context.venv_bin() / "kubectl")
    view = (kubectl, "--kubeconfig", str(source), "config", "view", "--raw", "--minify", "--flatten", "--context", name)
    shown = subprocess.run(view, capture_output=True, text=True, check=False)
    if shown.returncode != 0:
        raise errors.StackError(
            f"CONTEXT={name}: not in {source} ({shown.stderr.strip()}). `kubectl config get-contexts` lists what there "
            "is; another file is named with KUBECONFIG=FILE on make's command line."
        )
    folder.write_atomically(target, shown.stdout)
    asked = (kubectl, "--kubeconfig", str(target), "--context", name, "--request-timeout=10s", "version")
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise errors.StackError(
            f"CONTEXT={name}: its cluster does not answer ({answer.stderr.strip().splitlines()[-1]}). Start it, or "
            "leave CONTEXT out to have one started here."
        )
