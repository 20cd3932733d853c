"""audit's process: sequencer, projector, API and page under one supervisor."""

from decklog.runtime import process
from services.audit import service
from services.audit.settings import AuditSettings


def main() -> None:
    """Run until SIGTERM."""
    process.run("audit", AuditSettings, service.make)


if __name__ == "__main__":
    main()
