"""Generates the Python code of the wire contract; with --check only compares it with the checked-in code."""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROTO = ROOT / "proto"
PACKAGE = Path("decklog/events/v1")
BIN = Path(sys.executable).parent


def generate(target: Path) -> None:
    """Write `*_pb2.py` and their stubs below `target`; ends the program when protoc finds an error."""
    sources = sorted(str(path.relative_to(PROTO)) for path in (PROTO / PACKAGE).glob("*.proto"))
    outputs = (f"--python_out={target}", f"--mypy_out={target}")
    command = (sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO}", *outputs, *sources)
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    if subprocess.run(command, cwd=PROTO, env=environment, check=False).returncode != 0:
        sys.exit("protoc refused the contract: correct the file and line named above")


def differing(fresh: Path) -> list[str]:
    """The names of files that differ between the fresh and the checked-in code, in either direction."""
    names = {path.name for folder in (fresh / PACKAGE, ROOT / PACKAGE) for path in folder.glob("*_pb2.py*")}
    _same, different, missing = filecmp.cmpfiles(fresh / PACKAGE, ROOT / PACKAGE, sorted(names), shallow=False)
    return sorted(different + missing)


def main() -> None:
    """Generate, then compare or replace."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        changed = differing(fresh)
        if "--check" in sys.argv[1:]:
            if changed:
                sys.exit(f"not what `make proto` generates: {', '.join(changed)}; run it and commit the result")
            return
        for name in changed:
            (ROOT / PACKAGE / name).unlink(missing_ok=True)
            if (fresh / PACKAGE / name).exists():
                shutil.copyfile(fresh / PACKAGE / name, ROOT / PACKAGE / name)


main()
