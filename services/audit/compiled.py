"""The pure core of sequencing and publishing, compiled: the same sources through mypyc, a third less work an event.

    python -m services.audit.compiled        (or `make compile`)

Nothing depends on it. What was compiled is used as long as the sources are the very ones it was made from, and lies
beside them in `.compiled`; otherwise Python reads the sources as ever.
"""

import hashlib
import importlib
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
MODULES = (
    "decklog.adapters.kafka.batches",
    "decklog.model.envelope",
    "decklog.model.hashing",
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
    if not made.is_dir():
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
    loaded = sys.modules.get(MODULES[0])
    return loaded is not None and not str(loaded.__file__).endswith(".py")


def make(folder: Path = FOLDER) -> Path:
    """Compile, unless that was done; the folder of the outcome. Takes half a minute. Raises Terminal."""
    made = folder / _digest()
    if made.is_dir():
        return made
    _check_tools()
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as temporary:
        _compile(Path(temporary))
        Path(temporary, "lib").replace(made)
    for other in folder.iterdir():
        if other != made and not other.name.startswith("making-"):
            shutil.rmtree(other)
    return made


def _digest() -> str:
    """Of the sources, and of the Python they are compiled for."""
    digest = hashlib.sha256(f"{sys.version} {sysconfig.get_platform()} {MODULES}".encode())
    for path in _sources():
        digest.update(f"\n{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:20]


def _sources() -> Iterator[Path]:
    return itertools.chain.from_iterable(sorted((ROOT / folder).rglob("*.py")) for folder in _SEEN)


def _check_tools() -> None:
    for name, found, remedy in (
        ("mypyc", importlib.util.find_spec("mypyc"), "run `make venv`"),
        ("a C compiler", shutil.which(sysconfig.get_config_var("CC").split()[0]), "`apt install gcc` brings one"),
        ("Python.h", Path(sysconfig.get_path("include"), "Python.h").exists(), "`apt install python3-dev` brings it"),
    ):
        if not found:
            raise errors.Terminal(f"{name} is missing", where="services.audit.compiled", hint=f"To compile, {remedy}")


def _compile(temporary: Path) -> None:
    import setuptools
    from mypyc import build

    paths = [str(ROOT.joinpath(*module.split(".")).with_suffix(".py")) for module in MODULES]
    os.environ["MYPYPATH"] = str(ROOT)
    os.chdir(temporary)  # away from the pyproject.toml that setuptools would read
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(temporary / "types")]
    extensions = build.mypycify([*options, *paths], opt_level="3", debug_level="0", target_dir=str(temporary / "c"))
    arguments = ["--quiet", "build_ext", "--build-lib", str(temporary / "lib"), "--build-temp", str(temporary / "o")]
    setuptools.setup(name="compiled", packages=[], ext_modules=extensions, script_args=arguments)
    os.chdir(ROOT)


if __name__ == "__main__":
    try:
        print(f"compiled: {make()}")
    except errors.Terminal as error:
        sys.exit(str(error))
