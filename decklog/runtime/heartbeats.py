"""Whether Kafka still answers a member of a consumer group: what is idle would not notice otherwise."""

import math
from collections.abc import Callable

from decklog.ports import clock, stream

_LOOK_SECONDS = 2.0


async def watch(membership: stream.Membership, time: clock.Clock, tell: Callable[[str | None], None]) -> None:
    """Tell why, once half a session passed without an answered heartbeat, and None when they are answered again.

    Runs until cancelled. Before it belongs to the group a member has no heartbeats: joining says what it waits for.
    """
    told = False
    while True:
        silent = time.monotonic() - membership.last_heartbeat()
        if membership.session_timeout / 2 < silent < math.inf:
            told = True
            tell(f"Kafka has answered no heartbeat for {silent:.0f} s; is it up, and can it be reached from here?")
        elif told:
            told = False
            tell(None)
        await time.sleep(_LOOK_SECONDS)
