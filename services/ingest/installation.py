"""The installation's identity: minted once, as the first event of the fleet topic."""

import uuid
from collections.abc import Callable

import structlog

from decklog.events.v1 import fleet_pb2
from decklog.ports import clock, stream
from decklog.runtime import emitter
from services.ingest import fleet as fleets

log = structlog.get_logger(__name__)

_KEY = "installation/decklog"


async def ensure(
    fleet: fleets.FleetLog,
    producer: stream.Producer,
    *,
    prefix: str,
    time: clock.Clock,
    entropy: Callable[[int], bytes],
) -> str:
    """The installation's UUID, minted if there is none yet.

    Two members may mint at the same moment: both read back, and the first one in the log is the installation's.
    """
    await fleet.caught_up()
    if not fleet.fleet.installation:
        minted = str(uuid.UUID(bytes=entropy(16), version=4))
        speaking = emitter.Emitter(
            producer, service="ingest", installation=lambda: minted, prefix=prefix, time=time, entropy=entropy
        )
        said = await speaking.emit(
            emitter.Emission(
                message=fleet_pb2.InstallationCreated(installation=minted), key=_KEY, subject=_KEY, name="fleet"
            )
        )
        await fleet.reached(said.at.offset)
        log.info("installation created", installation=fleet.fleet.installation)
    return fleet.fleet.installation
