"""Whether Kafka answers is told by who belongs to a group, also when there is nothing to send."""

import asyncio
import contextlib
import math

from decklog.runtime import heartbeats


class Time:
    """A clock whose sleepers wake one look after the other."""

    def __init__(self, looks):
        self._looks = iter(looks)
        self.now = 0.0

    def monotonic(self):
        return self.now

    async def sleep(self, _seconds):
        try:
            self.now = next(self._looks)
        except StopIteration:
            raise asyncio.CancelledError from None


class Belonging:
    """A membership whose heartbeats were answered last at a moment."""

    session_timeout = 10.0

    def __init__(self, at):
        self._at = at

    def last_heartbeat(self):
        return self._at()


async def told(looks, at):
    said = []
    time = Time(looks)
    with contextlib.suppress(asyncio.CancelledError):
        await heartbeats.watch(Belonging(lambda: at(time.now)), time, said.append)
    return said


async def test_silence_is_told_until_it_is_over():
    """Half a session without an answer is an outage; the next answer ends it, once."""
    said = await told([2, 4, 6, 8, 10, 12], lambda now: 0 if now < 10 else now)
    assert [text and text.partition(";")[0] for text in said] == [
        "Kafka has answered no heartbeat for 6 s",
        "Kafka has answered no heartbeat for 8 s",
        None,
    ]


async def test_who_does_not_belong_yet_has_no_heartbeats():
    """Joining says itself what it waits for."""
    assert await told([5, 50], lambda _now: -math.inf) == []
