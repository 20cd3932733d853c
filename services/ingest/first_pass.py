"""The first pass over the fleet repository: before it nobody can rely on what is declared, so ingest is not ready."""

from decklog.events.v1 import subject_pb2
from decklog.runtime import ops

COMPONENT = "fleet repository"


class FirstPass:
    """Awaited by the process that follows the fleet repository, once in its life.

    Later failures to read it are events (`SourceFailed`): what was declared stays declared.
    """

    def __init__(self, readiness: ops.Readiness) -> None:
        self._readiness = readiness
        self._made = False
        readiness.waiting(COMPONENT, "starting")

    def follow(self, *, here: bool) -> None:
        """Note the group's word on who follows the repository: another process's pass is not awaited here."""
        if not here:
            self._readiness.works(COMPONENT)
        elif not self._made:
            self._readiness.waiting(COMPONENT, "it was not read yet")

    def looked(self, failure: subject_pb2.Failure | None) -> None:
        """Note the end of a look; without a failure all that the repository declares is acknowledged by Kafka."""
        if failure is None:
            self._made = True
            self._readiness.works(COMPONENT)
        elif not self._made:
            self._readiness.waiting(COMPONENT, ". ".join(filter(None, (failure.message, failure.hint))))
