"""Telling applications that a revision is available."""

from collections.abc import Iterable

import structlog

from decklog.events.v1 import fleet_pb2
from decklog.ports import mirror
from services.ingest import notebook, renderings
from services.ingest.core import announcing
from services.ingest.core import cursor as cursors

log = structlog.get_logger(__name__)


class Announcer:
    """Announces the heads of one source."""

    def __init__(self, source: str, notes: notebook.Notebook, rendered: renderings.Renderings) -> None:
        self._source = source
        self._notes = notes
        self._rendered = rendered

    async def announce(
        self, applications: Iterable[tuple[str, fleet_pb2.ApplicationSpec]], following: mirror.Mirror | None
    ) -> None:
        """Tell each of these applications what it does not know yet, unless that cannot change it."""
        told = []
        for one in announcing.due(self._notes.cursor, applications):
            if await self._unchanged(one, following):
                self._notes.cursor = cursors.skipped(self._notes.cursor, one.application, one.head.sequence)
                log.info("revision does not concern it", application=one.application, commit=one.head.commit)
            else:
                told.append(announcing.event(self._source, one))
        if told:
            await self._notes.announce(told)

    async def _unchanged(self, one: announcing.Due, following: mirror.Mirror | None) -> bool:
        """Whether everything the application's last rendering read is the same at the new commit. In doubt: no."""
        rendering = self._rendered.get(one.application)
        paths = announcing.inputs_to_compare(one, rendering)
        if rendering is None or not paths or following is None:
            return False
        try:
            now = await following.object_ids(one.head.commit, paths)
        except mirror.Unavailable as error:
            log.info("cannot tell whether the revision matters, so it is announced", error=str(error))
            return False
        return announcing.unchanged(rendering, now)
