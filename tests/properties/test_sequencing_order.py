"""Records that were read together are sequenced by time, and each partition in its own order."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from decklog.model import record_headers
from decklog.ports import stream
from services.audit.core import sequencing_order

TIMES = st.lists(st.lists(st.integers(-1, 9), max_size=8), max_size=5)


def read(times: list[list[int]]) -> list[list[stream.Record]]:
    """A poll: by partition, the times of its records. Brokers give -1 where there is none."""
    return [
        [
            stream.Record("t", partition, offset, time, None, None, record_headers.NONE)
            for offset, time in enumerate(stamps)
        ]
        for partition, stamps in enumerate(times)
    ]


@given(TIMES)
def test_nothing_is_lost_and_each_partition_keeps_its_order(times: list[list[int]]) -> None:
    """Whatever clocks say."""
    polled = read(times)
    merged = sequencing_order.merged(polled)
    assert len(merged) == sum(map(len, polled))
    for partition, records in enumerate(polled):
        assert [record for record in merged if record.partition == partition] == records


@given(TIMES)
def test_where_clocks_go_forward_what_was_said_first_stands_first(times: list[list[int]]) -> None:
    """Across partitions; at equal times in the order in which they were given."""
    polled = read([sorted(stamps) for stamps in times])
    merged = sequencing_order.merged(polled)
    assert merged == sorted(itertools.chain.from_iterable(polled), key=lambda record: record.timestamp_ms)


def test_a_clock_that_is_ahead_moves_its_own_partition_alone() -> None:
    """What stands behind a record from the future waits for it; the others do not."""
    polled = read([[1, 900, 3], [2, 4, 5]])
    places = [(one.partition, one.timestamp_ms) for one in sequencing_order.merged(polled)]
    assert places == [(0, 1), (1, 2), (1, 4), (1, 5), (0, 900), (0, 3)]
