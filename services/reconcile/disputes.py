"""Disputes: objects that two applications claim, as both of them report it.

Only the one that wants an object and finds the other's mark on it can know. It says so, and tells the other by way of
the control topic, because the other may belong to another member. The other says so, too, for as long as the claim
stands and whoever made it is declared.
"""

from collections.abc import Collection, Iterable, Mapping

from google.protobuf.message import Message

from decklog.events.v1 import control_pb2, state_pb2, subject_pb2
from decklog.model import objects
from services.reconcile import recording
from services.reconcile import world as worlds
from services.reconcile.core import claims, recollection, sayings


class Disputes:
    """What one application has to say of objects that it and another one claim."""

    def __init__(self, chronicle: recording.Chronicle, world: worlds.World) -> None:
        self._chronicle = chronicle
        self._world = world
        self._holders_know: set[claims.Conflict] = set()

    def news(self, standing: Iterable[claims.Conflict], *, unclear: Collection[objects.ObjectKey] = ()) -> claims.News:
        """What is to be told of its claims on objects of others. See `claims.news`."""
        return claims.news(self._chronicle.known.claims(), standing, unclear=unclear)

    async def report(
        self, standing: Collection[claims.Conflict], news: claims.News, wanted: Mapping[objects.ObjectKey, str]
    ) -> None:
        """Say what is news, and let those know whose mark the objects bear.

        A holder hears of a claim after it was said, and of its end before: what a crash leaves out is told again.
        `wanted`: the API version of each object that is wanted.
        """
        voice, known = self._chronicle.voice, self._chronicle.known
        ends = ((one.key, one.installation, one.application) for one in news.ended)
        await self._tell_holders(ends, withdrawn=True)
        ended: list[Message] = [sayings.claim_settled(voice, one, known.of(one.key).object) for one in news.ended]
        begun = [sayings.claim_conflicted(voice, one, version=wanted[one.key]) for one in news.begun]
        await self._chronicle.say([*ended, *begun])
        declared = self._declared()  # one that is declared later hears of it then
        reachable = {one for one in standing if one.holder in declared}
        unheard = sorted(reachable - self._holders_know, key=lambda one: one.key)
        await self._tell_holders((one.key, one.holder_installation, one.holder) for one in unheard)
        self._holders_know = reachable

    async def answer(self) -> None:
        """Say which of our objects others claim, and which they claim no longer."""
        header, declared = self._chronicle.known.header, self._declared()
        standing = {recollection.claim_key(one): one for one in header.claims if one.claimed_by in declared}
        told = {recollection.claim_key(one): one for one in header.reported_claims}
        await self._say_of_ours(
            ended=[one for key, one in told.items() if key not in standing],
            begun=[one for key, one in standing.items() if key not in told],
        )

    async def end(self) -> None:
        """The application is gone: it claims nothing, and nobody claims anything of it."""
        await self.report((), self.news(()), {})
        await self._say_of_ours(ended=list(self._chronicle.known.header.reported_claims), begun=[])

    async def _say_of_ours(
        self, *, ended: Iterable[state_pb2.ObjectClaim], begun: Iterable[state_pb2.ObjectClaim]
    ) -> None:
        voice, installation = self._chronicle.voice, self._world.fleet.current.installation
        await self._chronicle.say(
            [
                *(sayings.claim_of_another(voice, one, installation, settled=True) for one in ended),
                *(sayings.claim_of_another(voice, one, installation) for one in begun),
            ]
        )

    async def _tell_holders(
        self, about: Iterable[tuple[objects.ObjectKey, str, str]], *, withdrawn: bool = False
    ) -> None:
        """Let holders know of claims on (object, of installation, and application). Others read other topics."""
        ours, cluster = self._world.fleet.current.installation, self._chronicle.application.cluster
        await self._chronicle.address(
            control_pb2.ObjectClaimed(
                application=subject_pb2.ApplicationRef(cluster=cluster, application=holder),
                object=sayings.ref(key, version=self._chronicle.known.of(key).object.version),
                claimed_by=self._chronicle.application.application,
                withdrawn=withdrawn,
            )
            for key, installation, holder in about
            if installation == ours
        )

    def _declared(self) -> frozenset[str]:
        """The applications of our cluster."""
        cluster = self._chronicle.application.cluster
        return frozenset(
            name for name, spec in self._world.fleet.current.applications() if spec.dest_cluster == cluster
        )
