"""`make bench`: every measurement, on the running stack (`make up` first)."""

import os
import subprocess
import sys
from pathlib import Path

from deploy.local import envfile

# The last one projects what the others left in the ledger.
SCRIPTS = ("bench.sequencing", "bench.publishing", "bench.verify", "bench.proving", "bench.voyage", "bench.projecting")


def main() -> int:
    """Run each script with the stack's settings."""
    env = Path(os.environ.get("DECKLOG_STATE", ".decklog")) / "env"
    if not env.exists():
        print(f"{env} is not there: run `make up` first", file=sys.stderr)
        return 2
    settings = {**os.environ, **envfile.parse(env.read_text())}
    settings["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    return max(
        subprocess.run([sys.executable, "-m", script], env=settings, check=False).returncode for script in SCRIPTS
    )


if __name__ == "__main__":
    sys.exit(main())
