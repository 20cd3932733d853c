"""Which revision an application is held to, and what that means: made once for as long as neither changes."""

import structlog

from decklog.events.v1 import fleet_pb2, state_pb2, subject_pb2
from decklog.ports import cluster, mirror
from services.reconcile import ordering, recording, rendering, telling
from services.reconcile import world as worlds
from services.reconcile.core import sync

log = structlog.get_logger(__name__)


class Revisions:
    """The revisions of one application."""

    def __init__(self, world: worlds.World, chronicle: recording.Chronicle) -> None:
        self._world = world
        self._chronicle = chronicle
        self._wanted: tuple[str, rendering.Wanted] | None = None
        self._refused: tuple[str, subject_pb2.Failure] | None = None

    def forget(self) -> None:
        """Render whatever comes anew."""
        self._wanted = self._refused = None

    def chosen(
        self, spec: fleet_pb2.ApplicationSpec, request: state_pb2.PendingRequest | None
    ) -> subject_pb2.Revision | None:
        """What is to be rendered: the newest available, or what a request names."""
        known = self._chronicle.known.header
        available = known.available.revision
        if not known.HasField("available") or (available.source, available.ref) != (spec.source, spec.ref):
            return None
        if request is not None and request.request.commit:
            return subject_pb2.Revision(source=spec.source, ref=spec.ref, commit=request.request.commit)
        return available

    async def wanted(
        self,
        spec: fleet_pb2.ApplicationSpec,
        revision: subject_pb2.Revision,
        port: cluster.Cluster,
        request: state_pb2.PendingRequest | None,
        origin: str | None,
    ) -> rendering.Wanted:
        """What is wanted: rendered anew if the revision or the way to render changed.

        Where somebody asked, it is tried again at once; and a commit that he named and that is nowhere to be had is
        answered, not waited for.
        """
        basis, before = telling.render_basis(spec, revision, self._world.fleet.current), self._wanted
        if request is None and self._refused is not None and self._refused[0] == basis:
            raise rendering.Unrenderable(self._refused[1])
        self._refused = None
        try:
            wanted = await self._prepared(spec, revision, port)
        except rendering.Unrenderable as error:
            self._refused = (basis, error.failure) if error.lasting else None
            raise
        except mirror.Unavailable as error:
            if request is not None and request.request.commit and error.reason is mirror.Reason.COMMIT_NOT_FOUND:
                raise rendering.Unrenderable(mirror.failure_of(error)) from error
            await telling.render_failed(self._chronicle, revision, mirror.failure_of(error), None, origin)
            raise
        if self._wanted is not before or self._chronicle.known.header.HasField("render_failed"):
            await telling.rendered(self._chronicle, wanted, self._world.mask, origin)
        return wanted

    async def standing(self, spec: fleet_pb2.ApplicationSpec, port: cluster.Cluster) -> rendering.Wanted | None:
        """What the application was compared with or synced to last; None if it can no longer be made the same.

        It is the very same state or none: under another path or namespace an old commit means something that nobody
        ever wanted.
        """
        standing = self._chronicle.known.header.standing
        if (standing.revision.source, standing.revision.ref) != (spec.source, spec.ref):
            return None
        try:
            wanted = await self._prepared(spec, standing.revision, port)
        except (rendering.Unrenderable, mirror.Unavailable) as error:
            log.warning("the last revision cannot be rendered again", application=self._chronicle.key, error=str(error))
            return None
        return wanted if wanted.digest == standing.digest else None

    async def tell_unrenderable(
        self,
        spec: fleet_pb2.ApplicationSpec,
        revision: subject_pb2.Revision,
        failure: subject_pb2.Failure,
        request: state_pb2.PendingRequest | None,
        origin: str | None,
    ) -> None:
        """There is nothing wanted, and why; it answers the request if there is one."""
        start = sync.Start(sync.Trigger.REQUEST, 1)
        order = None
        if request is not None:
            order = ordering.order(spec, start, request, sync_id=self._world.new_id(), cause="", origin=origin)
        await telling.render_failed(self._chronicle, revision, failure, order, origin)

    async def _prepared(
        self, spec: fleet_pb2.ApplicationSpec, revision: subject_pb2.Revision, port: cluster.Cluster
    ) -> rendering.Wanted:
        """What a revision means, made anew if the revision or the way to render changed."""
        declared = self._world.fleet.current
        basis = telling.render_basis(spec, revision, declared)
        if self._wanted is None or self._wanted[0] != basis:
            name = self._chronicle.application.application
            wanted = await self._world.workshop.prepare(declared, name, spec, revision, port)
            self._wanted = (basis, wanted)
        return self._wanted[1]
