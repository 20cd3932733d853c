"""What every event passes through, in C. It is optional: where it was not built, Python does the same, more slowly.

`kernel` is the extension, or None. It is looked for by the digest of the very sources that lie here, so one that was
built from others never runs. `python -m decklog.native.build` builds it, and so does `make venv` where there is a C
compiler. Python decides what is right: each function in C has a twin in Python, and those for whole records leave
whatever is not as usual to it. The twin asks for `kernel` at each call, and goes on itself where that is None.
"""

import hashlib
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from typing import Final, cast

from decklog.native import typed

_HERE: Final = Path(__file__).resolve().parent
_NAME: Final = "kernel"
SETTING: Final = "DECKLOG_NATIVE"
"""`off` in the environment has Python do it all."""


def sources() -> list[Path]:
    """The files in C that are compiled."""
    return sorted(_HERE.glob("*.c"))


def library() -> Path:
    """Where what was built from these sources, for this Python, would be."""
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    digest = hashlib.sha256(f"{sys.version} {suffix}".encode())
    for path in sorted([*sources(), *_HERE.glob("*.h"), _HERE / "build.py"]):
        digest.update(f"\n{path.name}\n".encode() + path.read_bytes())
    return _HERE.parents[1] / ".compiled" / f"{_NAME}-{digest.hexdigest()[:20]}{suffix}"


def load(path: Path) -> typed.Kernel:
    """The extension that was built there. Raises ImportError."""
    loader = importlib.machinery.ExtensionFileLoader(f"{__name__}.{_NAME}", str(path))
    spec = importlib.util.spec_from_file_location(loader.name, path, loader=loader)
    if spec is None:
        raise ImportError(f"{path} is no extension")
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return cast("typed.Kernel", module)


def _found() -> typed.Kernel | None:
    if os.environ.get(SETTING) == "off":
        return None
    try:
        return load(library())
    except (ImportError, OSError):
        return None  # Not built, not for this user, or without what it needs; `audit` says at its start which it uses.


kernel: Final = _found()
