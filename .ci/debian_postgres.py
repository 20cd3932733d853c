"""Debian's PostgreSQL for the tests of TLS and of the oldest version that is supported: found, or fetched with apt.

Nothing is installed: the package is unpacked into the cache. Where that cannot be done its tests are skipped and say
why.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PACKAGE = "postgresql-15"
INSTALLED = Path("/usr/lib/postgresql")
SECONDS = 120


def cache() -> Path:
    """Where the package is unpacked."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "decklog" / PACKAGE


def obtain() -> str:
    """Have the server's programs somewhere; a line that says how."""
    if (INSTALLED / "15" / "bin" / "postgres").exists():
        return f"PostgreSQL of this machine is used for the tests of TLS: {INSTALLED}"
    if cache().exists():
        return f"{PACKAGE} is in {cache()}"
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return f"no {PACKAGE}: this machine has no apt-get; the tests of TLS to Postgres are skipped"
    cache().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache().parent) as folder:
        try:
            run = {"cwd": folder, "capture_output": True, "text": True, "timeout": SECONDS, "check": True}
            subprocess.run(("apt-get", "download", PACKAGE), **run)
            (package,) = Path(folder).glob("*.deb")
            subprocess.run(("dpkg-deb", "-x", str(package), "unpacked"), **run)
            (Path(folder) / "unpacked").rename(cache())
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            return f"no {PACKAGE} ({type(error).__name__}); the tests of TLS to Postgres are skipped"
    return f"{PACKAGE} was unpacked into {cache()}"
