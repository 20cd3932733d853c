"""A cluster that the stack did not start: what the demo put there is remembered, so that `clean` removes it."""

import subprocess

from deploy.local import context, errors, folder

NAMESPACES = ("decklog-demo-shop", "decklog-demo-blog")
"""All that the demo ever creates lies in these."""

SECONDS = 120


def remember_demo(state: folder.Folder) -> None:
    """Note, before anything is created, that the cluster of the state folder's kubeconfig gets the demo."""
    (state.path / "foreign-demo").touch()


def remove_demo(state: folder.Folder) -> None:
    """Delete the demo's namespaces from the foreign cluster, if it ever got them.

    Raises StackError when the cluster refuses or does not answer: the folder then still knows where they are.
    """
    note = state.path / "foreign-demo"
    if not note.exists():
        return
    kubectl = (str(context.venv_bin() / "kubectl"), "--kubeconfig", str(state.path / "cluster" / "kubeconfig"))
    options = ("--ignore-not-found", f"--timeout={SECONDS}s")
    done = subprocess.run(
        (*kubectl, "delete", "namespace", *NAMESPACES, *options), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise errors.StackError(
            f"removing {' and '.join(NAMESPACES)} from your cluster failed: {done.stderr.strip()}. Start the cluster "
            "and run `make clean` again, or delete those namespaces yourself and remove the folder."
        )
    note.unlink()
