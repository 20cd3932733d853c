"""The render process: `python -m services.reconcile.render.worker`.

Reads requests from stdin, one a line, answers each on stdout with one line, and ends when stdin does. Started by
`renderer` alone, in a session of its own, with next to no environment. It limits itself before it reads anything.
"""

import ctypes
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path

from services.reconcile.render import answer, kustomize, plain, trees
from services.reconcile.render.failure import RenderFailure
from services.reconcile.render.limits import RenderLimits

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_OPEN_FILES = 256
_WRITTEN_FILE = 1024 * 1024
# Go reserves far more addresses than it uses, so what is counted is writable memory; addresses only bound a runaway.
_ADDRESSES_PER_MEMORY = 16


def main() -> None:
    """Answer requests until stdin ends."""
    _confine()
    for line in sys.stdin.buffer:
        request = answer.Request.decode(line)
        _limit(request.limits)
        sys.stdout.buffer.write(_answered(request))
        sys.stdout.buffer.flush()


def _answered(request: answer.Request) -> bytes:
    try:
        return answer.encode(_rendered(request))
    except RenderFailure as failure:
        return answer.encode(failure)
    except (MemoryError, RecursionError):
        hint = "split the application into smaller ones"
        return answer.encode(
            RenderFailure("MemoryLimit", "the manifests need more memory than a render may use", hint=hint)
        )
    except OSError as error:
        problem = f"the exported tree could not be read: {error.strerror or error}"
        return answer.encode(RenderFailure("TreeUnreadable", problem, hint="it is tried again", transient=True))


def _rendered(request: answer.Request) -> answer.Rendered:
    tree = trees.Tree(Path(request.tree).resolve())
    target = tree.at(request.path)
    is_kustomize = target.is_dir() and trees.kustomization(target) is not None
    if request.kind == "kustomize" and not is_kustomize:
        names = ", ".join(trees.KUSTOMIZATION_NAMES)
        raise RenderFailure(
            "NotAKustomization",
            f"the path has none of {names}",
            file=tree.name(target),
            hint="add one, or use the renderer plain",
        )
    if request.kind == "plain" or not is_kustomize:
        return plain.render(tree, target, request.limits)
    return kustomize.render(tree, target, request.kubectl, request.limits)


def _confine() -> None:
    """Die with the service, see no network, start in an empty home."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Where the kernel does not grant it, the checks before Kustomize runs and the dead proxy stand alone.
        libc.unshare(_CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET)
    os.chdir(os.environ.get("HOME") or tempfile.gettempdir())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_WRITTEN_FILE, _WRITTEN_FILE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def _limit(limits: RenderLimits) -> None:
    """Limit this render: processor time counts from now, as the process may have rendered before."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + limits.cpu_seconds + 1
    _lower(resource.RLIMIT_CPU, seconds)
    _lower(resource.RLIMIT_DATA, limits.memory)
    _lower(resource.RLIMIT_AS, limits.memory * _ADDRESSES_PER_MEMORY)


def _lower(which: int, limit: int) -> None:
    hard = resource.getrlimit(which)[1]
    soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(which, (soft, hard))


if __name__ == "__main__":
    main()
