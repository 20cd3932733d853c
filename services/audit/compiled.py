"""The pure core of sequencing and publishing, compiled: the same sources through mypyc, a third less work an event.

    python -m services.audit.compiled        (or `make compile`)

Nothing depends on it. What was compiled lies beside the sources in `.compiled`, under the digest of the very sources
it was made from, and is used as long as they are these; otherwise Python reads the sources as ever. Whoever may write
there may write the sources, too.
"""

import contextlib
import hashlib
import importlib
import importlib.util
import io
import itertools
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from decklog.model import errors

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".compiled"
_COMPLETE = "complete"
MODULES = (
    "decklog.adapters.kafka.batches",
    "decklog.model.canonical",
    "decklog.model.envelope",
    "decklog.model.hashing",
    "decklog.model.header_shapes",
    "decklog.model.headers",
    "decklog.model.merkle",
    "decklog.model.receipt",
    "decklog.model.record_headers",
    "decklog.model.timestamps",
    "decklog.model.tlog.bundle",
    "decklog.model.tlog.edge",
    "decklog.model.tlog.tiles",
    "services.audit.core.integration",
    "services.audit.core.recent",
    "services.audit.core.sequencing",
    "services.audit.core.sequencing_examine",
    "services.audit.core.sequencing_order",
)
_SEEN = ("decklog/events", "decklog/model", "decklog/ports", "decklog/adapters/kafka", "services/audit/core")
"""Where the sources are that a compiled module relies on: it knows the fields of the types it uses by their place."""


def use(folder: Path = FOLDER) -> bool:
    """Have the compiled modules imported instead of their sources, if they are there and were made from them.

    Raises RuntimeError if one of them was imported before: the two do not go together.
    """
    made = folder / _digest()
    if not (made / _COMPLETE).exists():
        return False
    if early := [module for module in MODULES if module in sys.modules]:
        raise RuntimeError(f"imported before it was decided whether to take what is compiled: {', '.join(early)}")
    # What all of them share is a module of its own, with no package.
    sys.path.append(str(made))
    for package in sorted({module.rpartition(".")[0] for module in MODULES}):
        importlib.import_module(package).__path__.insert(0, str(made.joinpath(*package.split("."))))
    return True


def in_use() -> bool:
    """Whether the compiled modules are the ones that run."""
    return all(module in sys.modules and not str(sys.modules[module].__file__).endswith(".py") for module in MODULES)


def make(folder: Path = FOLDER) -> Path:
    """Compile, unless that was done; the folder of the outcome. Takes half a minute. Raises Terminal."""
    made = folder / _digest()
    if (made / _COMPLETE).exists():
        return made
    check_tools()
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as temporary:
            built = Path(temporary, "lib")
            _compile(Path(temporary), built)
            (built / _COMPLETE).touch()
            os.sync()  # A library of which a crash left a part would crash whoever loads it.
            shutil.rmtree(made, ignore_errors=True)
            with contextlib.suppress(OSError):  # somebody else has made it meanwhile
                built.rename(made)
    except OSError as error:
        hint = "It is made beside the sources: let it be done by whoever owns them"
        raise errors.Terminal(f"{error.strerror or error}", where=str(folder), hint=hint) from error
    return made


def _digest() -> str:
    """Of the sources, and of the Python they are compiled for."""
    digest = hashlib.sha256(f"{sys.version} {sysconfig.get_platform()} {MODULES}".encode())
    for path in _sources():
        digest.update(f"\n{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:20]


def _sources() -> Iterator[Path]:
    return itertools.chain.from_iterable(sorted((ROOT / folder).rglob("*.py")) for folder in _SEEN)


def check_tools() -> None:
    """Raises Terminal for what compiling needs and is not there."""
    for name, found, remedy in (
        ("mypyc", importlib.util.find_spec("mypyc"), "run `make venv`"),
        ("a C compiler", shutil.which(sysconfig.get_config_var("CC").split()[0]), "`apt install gcc` brings one"),
        ("Python.h", Path(sysconfig.get_path("include"), "Python.h").exists(), "`apt install python3-dev` brings it"),
    ):
        if not found:
            raise errors.Terminal(f"{name} is missing", where="services.audit.compiled", hint=f"To compile, {remedy}")


def _compile(temporary: Path, built: Path) -> None:
    import setuptools
    from mypyc import build

    paths = [str(ROOT.joinpath(*module.split(".")).with_suffix(".py")) for module in MODULES]
    os.environ["MYPYPATH"] = str(ROOT)
    os.chdir(temporary)  # away from the pyproject.toml that setuptools would read
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(temporary / "types")]
    said = io.StringIO()
    try:
        # It warns of generators that it makes into lists, which is as well for ours.
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            extensions = build.mypycify(
                [*options, *paths], opt_level="3", debug_level="0", target_dir=str(temporary / "c")
            )
    except SystemExit as error:
        raise errors.Terminal(
            f"mypyc refuses the sources: {said.getvalue()}", where="services.audit.compiled"
        ) from error
    arguments = ["--quiet", "build_ext", "--build-lib", str(built), "--build-temp", str(temporary / "o")]
    setuptools.setup(name="compiled", packages=[], ext_modules=extensions, script_args=arguments)
    os.chdir(ROOT)


if __name__ == "__main__":
    try:
        made = make().relative_to(ROOT)
        print(f"The core of the sequencer is compiled, in {made}. audit uses it from its next start on.")
    except errors.Terminal as error:
        sys.exit(str(error))
