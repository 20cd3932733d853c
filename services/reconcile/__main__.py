"""reconcile's process."""

from decklog.runtime import process
from services.reconcile import assembly
from services.reconcile.settings import ReconcileSettings


def main() -> None:
    """Run until SIGTERM."""
    process.run("reconcile", ReconcileSettings, assembly.make)


if __name__ == "__main__":
    main()
