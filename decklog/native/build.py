"""Compile `decklog.native`, which takes two seconds:  python -m decklog.native.build [--if-possible]"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from decklog import native

FLAGS = ("-shared", "-fPIC", "-O2", "-std=c11", "-Wall", "-Wextra", "-Wno-missing-field-initializers")
_MAKING = "making-"
_TOLD = "told"
_ABANDONED_SECONDS = 3600
LIBRARIES = ("-l:libcrypto.so.3",)


class Impossible(Exception):
    """It cannot be built here; the text says what is missing and what brings it."""


def compiler() -> str:
    """The C compiler. Raises Impossible."""
    found = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if found is None:
        raise Impossible("a C compiler is missing; `apt install gcc` brings one")
    return found


def include() -> str:
    """The folder of Python.h. Raises Impossible."""
    folder = sysconfig.get_path("include")
    if not Path(folder, "Python.h").exists():
        raise Impossible("Python.h is missing; `apt install python3-dev` brings it")
    return folder


def build(path: Path, *flags: str) -> Path:
    """Have the extension at that place, built if it is not there; these flags on top. Raises Impossible."""
    if path.exists():
        return path
    command = [compiler(), *FLAGS, *flags, "-I", include(), *map(str, native.sources())]
    try:
        path.parent.mkdir(exist_ok=True)
        path.parent.chmod(0o755)  # Whoever may read the sources may use it.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=_MAKING) as folder:
            made = Path(folder, path.name)
            done = subprocess.run(
                [*command, "-o", str(made), *LIBRARIES], capture_output=True, text=True, check=False, cwd=folder
            )
            if done.returncode != 0:
                raise Impossible(f"the C compiler refuses: {done.stderr.strip()}")
            with made.open("rb") as written:
                os.fsync(written.fileno())  # A library of which a crash left a part would crash whoever loads it.
            made.chmod(0o755)
            made.rename(path)
    except OSError as error:
        raise Impossible(f"{path.parent}: {error.strerror or error}; let it be built by whoever owns it") from error
    return path


def forget_others(path: Path) -> None:
    """Remove what was built from other sources for the same Python, what a killed build has left, and what was told."""
    suffix = path.name.partition(".")[2]
    patterns = (f"{path.name.partition('-')[0]}-*.{suffix}", f"{_MAKING}*", _TOLD)
    for other in [found for pattern in patterns for found in path.parent.glob(pattern)]:
        with contextlib.suppress(OSError):
            if other.is_dir() and time.time() - other.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(other)
            elif other.is_file() and other != path:
                other.unlink()


def is_news(text: str, told: Path) -> bool:
    """Whether it is not what was told last, which is kept in that file; whoever may not write it is told again."""
    with contextlib.suppress(OSError):
        if told.read_text() == text:
            return False
    with contextlib.suppress(OSError):
        told.parent.mkdir(exist_ok=True)
        told.write_text(text)
    return True


def main() -> str | None:
    """Build it; why not, where it is not possible."""
    parser = argparse.ArgumentParser(prog="python -m decklog.native.build", description="Compile what is in C.")
    parser.add_argument("--if-possible", action="store_true", help="do without where it is not, and say so once")
    given = parser.parse_args()
    path = native.library()
    try:
        forget_others(build(path))
        native.load(path)
    except (Impossible, ImportError) as reason:
        told = f"decklog.native is not built, so Python does its work (three times slower): {reason}"
        if not given.if_possible:
            return told
        if is_news(told, path.parent / _TOLD):
            print(told)
    return None


if __name__ == "__main__":
    sys.exit(main())
