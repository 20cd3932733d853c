"""The state topic knows whose word counts: late records of a replaced owner change nothing that is remembered.

And compaction, which keeps the last record of a key whoever wrote it, takes nothing away in silence.
"""

from collections.abc import Sequence

from decklog.events.v1 import control_pb2, state_pb2, subject_pb2
from decklog.model import objects, ownership, record_headers
from decklog.ports import stream
from services.reconcile import state
from services.reconcile.core import recollection

PLACE = state.Place("p", 3)
APPLICATION = subject_pb2.ApplicationRef(cluster="dev", application="shop")


KEY = objects.ObjectKey("", "ConfigMap", "n", "a")


def remembered(sequence: int, digest: str = "") -> recollection.Recollection:
    available = control_pb2.RevisionAvailable(application=APPLICATION, ref_sequence=sequence)
    header = state_pb2.ApplicationState(application=APPLICATION, available=available)
    return recollection.Recollection(header, {KEY: state_pb2.ObjectState(live_digest=digest)} if digest else {})


def owned(owner: int) -> state.Place:
    return PLACE.under(ownership.Right(0, owner))


def written(owner: int, sequence: int, digest: str = "") -> list[stream.Message]:
    return owned(owner).messages("dev/shop", remembered(sequence, digest), [KEY] if digest else [])


def recorded(*batches: list[stream.Message]) -> list[stream.Record]:
    messages = [message for batch in batches for message in batch]
    return [
        stream.Record(one.topic, 3, offset, 0, one.key, one.value, record_headers.encode(one.headers))
        for offset, one in enumerate(messages)
    ]


def compacted(records: Sequence[stream.Record]) -> list[stream.Record]:
    """What Kafka leaves: of each key the last record."""
    last = {record.key: record for record in records}
    return [record for record in records if last[record.key] is record]


def read(*batches: list[stream.Message]) -> int:
    return int(state.read(recorded(*batches)).known["dev/shop"].header.available.ref_sequence)


def test_the_last_word_of_an_owner_counts() -> None:
    """One owner, and then its successor: the newest record is what is known."""
    assert read(written(7, 1), written(7, 2), written(9, 3)) == 3


def test_a_late_word_of_a_replaced_owner_does_not_count() -> None:
    """It was paused between asking for its right and writing; its successor has written meanwhile."""
    assert read(written(7, 1), written(9, 3), written(7, 2)) == 3


def test_what_a_replaced_owner_wrote_in_its_time_counts_until_somebody_writes() -> None:
    """A new owner that has not said anything yet goes on from what the former one knew."""
    assert read(written(7, 1), [PLACE.marker("r2")], written(7, 2)) == 2


def test_a_key_that_was_written_over_is_to_be_written_again() -> None:
    """Both records are there: the right one counts, and must become the last one again before compaction takes it."""
    found = state.read(recorded([owned(9).claim("r2")], written(9, 3, "new"), written(7, 2, "old")))
    assert found.known["dev/shop"].header.available.ref_sequence == 3
    assert found.known["dev/shop"].of(KEY).live_digest == "new"
    assert found.overwritten == {"dev/shop", f"dev/shop/{KEY}"}
    assert not found.lost
    assert not state.read(recorded(written(9, 3, "new"), written(7, 2, "old"), written(9, 3, "new"))).overwritten


def test_what_compaction_took_is_known_to_be_lost() -> None:
    """Only the late record is left: what it says is known, and that something newer was known is known too."""
    records = recorded([owned(9).claim("r2")], written(9, 3, "new"), written(7, 2, "old"))
    found = state.read(compacted(records))
    assert found.known["dev/shop"].header.available.ref_sequence == 2
    assert found.doubtful() == {"dev/shop"}
    assert state.by_application(found.overwritten) == {"dev/shop": [KEY]}


def test_a_claim_tells_of_its_owner_when_nothing_else_of_its_is_left() -> None:
    """Without it the late record would look like the last word of the rightful owner."""
    assert state.read(compacted(recorded(written(9, 3), written(7, 2)))).doubtful() == frozenset()
    assert state.read(compacted(recorded([owned(9).claim("r2")], written(7, 2)))).doubtful() == {"dev/shop"}


def test_what_was_forgotten_and_written_over_stays_forgotten() -> None:
    """A late record does not bring an object back that its rightful owner had forgotten."""
    gone = owned(9).messages("dev/shop", remembered(3), [KEY])
    found = state.read(recorded(gone, written(7, 2, "old")))
    assert not found.known["dev/shop"].records
    assert f"dev/shop/{KEY}" in found.overwritten


def test_only_what_somebody_made_sure_of_is_whole() -> None:
    """Whoever finds records alone must not take them for all; a late word on it says the same as a rightful one."""
    assert not state.read(recorded(written(7, 1), [owned(7).claim("r1"), PLACE.marker("r1")])).whole
    assert state.read(recorded([owned(7).whole("r1")], written(7, 1))).whole
    assert state.read(compacted(recorded([owned(7).whole("r1"), owned(9).claim("r2"), owned(7).whole("r1")]))).whole
