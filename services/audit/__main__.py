"""audit's process: sequencer, projector, API and page under one supervisor."""

from decklog.runtime import process
from services.audit import compiled


def main() -> None:
    """Run until SIGTERM."""
    compiled.use()
    # Not before it is decided which core they get.
    from services.audit import service
    from services.audit.settings import AuditSettings

    process.run("audit", AuditSettings, service.make)


if __name__ == "__main__":
    main()
