"""The fleet repository: what it declares at its newest commit becomes events on the fleet topic."""

from collections.abc import Sequence
from dataclasses import replace

import structlog
from google.protobuf.message import Message

from decklog.events.v1 import fleet_pb2, subject_pb2
from decklog.ports import mirror
from services.ingest import first_pass, notebook
from services.ingest import fleet as fleets
from services.ingest.core import commits, declaring, documents
from services.ingest.settings import FLEET_SOURCE

log = structlog.get_logger(__name__)

_LIMITS = mirror.ExportLimits(file_bytes=1024 * 1024)
_RESERVED = {
    ("Source", FLEET_SOURCE): f"the source {FLEET_SOURCE!r} is the fleet repository, which is a setting of ingest",
}


class Declarer:
    """Keeps the fleet as the fleet repository declares it."""

    def __init__(
        self,
        notes: notebook.Notebook,
        log_of_fleet: fleets.FleetLog,
        spec: fleet_pb2.SourceSpec,
        first: first_pass.FirstPass,
    ) -> None:
        self._notes = notes
        self._fleet = log_of_fleet
        self._first = first
        self._spec = spec

    async def declare_itself(self) -> None:
        """Say that the fleet repository is a source, so that everybody knows where declarations come from."""
        await self._fleet.caught_up()
        before = self._fleet.fleet.source(FLEET_SOURCE)
        if before == self._spec:
            return
        actor = subject_pb2.Actor(id="ingest", kind=subject_pb2.ACTOR_KIND_SERVICE)
        message = fleet_pb2.SourceDeclared(
            name=FLEET_SOURCE,
            before=before,
            after=self._spec,
            actor=actor,
            reason="The fleet repository of this service",
        )
        await self._say([message])

    async def declare(self, following: mirror.Mirror) -> None:
        """Say what the newest commit declares otherwise than before. Raises Unavailable, Unusable."""
        ref = self._spec.refs[0]
        head = self._notes.cursor.heads.get(ref)
        if head is None or not head.commit or head.commit == self._notes.cursor.declared_commit:
            return
        await following.ensure(head.commit, ref=ref)
        found = documents.read(await following.files(head.commit, documents.SUFFIXES, _LIMITS), _RESERVED)
        (commit,) = await following.commits([head.commit])
        parsed = commits.parse(commit.raw)
        revision = subject_pb2.Revision(source=FLEET_SOURCE, ref=ref, commit=head.commit)
        made = declaring.statement(revision, parsed.author, parsed.title)
        await self._fleet.caught_up()
        await self._say(declaring.decide(self._fleet.fleet, found, made))
        await self._refuse(found, made)

    async def settle(self) -> None:
        """Tell who declared something by the API that Git has the last word on."""
        await self._say(list(self._fleet.lost.values()))

    def looked(self, failure: subject_pb2.Failure | None) -> None:
        """Note how a look at the repository ended. A ref that only an application follows is not what is awaited."""
        elsewhere = failure is not None and failure.refs and self._spec.refs[0] not in failure.refs
        self._first.looked(None if elsewhere else failure)

    async def _refuse(self, found: documents.Documents, made: declaring.Statement) -> None:
        await self._say(declaring.refusals(found, made, self._fleet.refused))
        for one in found.refused:
            log.warning(
                "a declaration is refused", file=one.failure.file, line=one.failure.line, why=one.failure.message
            )
        self._notes.cursor = replace(self._notes.cursor, declared_commit=made.revision.commit)

    async def _say(self, messages: Sequence[Message]) -> None:
        """Say, and wait until our own fold has it: the next decision builds on it."""
        said = await self._notes.say(messages)
        if said:
            await self._fleet.reached(said[-1].at.offset)
