"""The state topic knows whose word counts: late records of a replaced owner change nothing that is remembered."""

from decklog.events.v1 import control_pb2, state_pb2, subject_pb2
from decklog.ports import stream
from services.reconcile import state
from services.reconcile.core import recollection

PLACE = state.Place("p", 3)
APPLICATION = subject_pb2.ApplicationRef(cluster="dev", application="shop")


def remembered(sequence: int) -> recollection.Recollection:
    available = control_pb2.RevisionAvailable(application=APPLICATION, ref_sequence=sequence)
    return recollection.Recollection(state_pb2.ApplicationState(application=APPLICATION, available=available))


def written(owner: int, sequence: int) -> list[stream.Message]:
    place = PLACE.under(subject_pb2.Fence(topic_epoch=0, offset=owner))
    return place.messages("dev/shop", remembered(sequence), ())


def read(*batches: list[stream.Message]) -> int:
    messages = [message for batch in batches for message in batch]
    records = [
        stream.Record(one.topic, 3, offset, 0, one.key, one.value, one.headers) for offset, one in enumerate(messages)
    ]
    return int(state.read(records)["dev/shop"].header.available.ref_sequence)


def test_the_last_word_of_an_owner_counts() -> None:
    """One owner, and then its successor: the newest record is what is known."""
    assert read(written(7, 1), written(7, 2), written(9, 3)) == 3


def test_a_late_word_of_a_replaced_owner_does_not_count() -> None:
    """It was paused between asking for its right and writing; its successor has written meanwhile."""
    assert read(written(7, 1), written(9, 3), written(7, 2)) == 3


def test_what_a_replaced_owner_wrote_in_its_time_counts_until_somebody_writes() -> None:
    """A new owner that has not said anything yet goes on from what the former one knew."""
    assert read(written(7, 1), [PLACE.marker("r2")], written(7, 2)) == 2
