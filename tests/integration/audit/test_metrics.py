"""What Prometheus reads of audit."""

from decklog.model import topics
from decklog.runtime import names
from services.audit.core import sequencing
from tests import audit_process


async def test_every_count_of_notices_is_there_before_the_first(database, tmp_path):
    """`increase()` sees nothing in a series that begins with its first notice, and that one is the news."""
    async with audit_process.running(database, tmp_path) as process, audit_process.browser(process.ops) as ops:
        told = (await ops.get("/metrics")).text
    for topic in topics.SEQUENCED:
        name = topic.name(audit_process.PREFIX)
        assert f'{names.METRIC_DEAD_LETTERS}{{topic="{name}"}} ' in told
        for notice in sequencing.Notice:
            assert f'{names.METRIC_NOTICES}{{notice="{notice.value}",topic="{name}"}} ' in told
