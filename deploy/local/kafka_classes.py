"""Java's class-data archive of the broker: written at a clean stop, kept in the cache, it halves every later start."""

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

QUIET = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off")


@dataclass(frozen=True, slots=True)
class Archive:
    """Where one Java's archive of one set of jars is: `cached` for all stacks, `fresh` where a stop writes it."""

    cached: Path
    fresh: Path

    def options(self) -> tuple[str, ...]:
        """Use the archive when there is one, else have it written. Java ignores one that does not fit."""
        if self.cached.exists():
            return (f"-XX:SharedArchiveFile={self.cached}", "-Xshare:auto", *QUIET)
        return (f"-XX:ArchiveClassesAtExit={self.fresh}", *QUIET)

    def publish(self) -> None:
        """After a clean stop: put what it wrote into the cache, whole or not at all."""
        if not self.fresh.exists():
            return
        if not self.cached.exists():
            with tempfile.TemporaryDirectory(dir=self.cached.parent, prefix=f"{self.cached.name}.") as folder:
                whole = Path(folder) / "classes"
                shutil.copyfile(self.fresh, whole)
                whole.replace(self.cached)
        with contextlib.suppress(FileNotFoundError):
            self.fresh.unlink()
