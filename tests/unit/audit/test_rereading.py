"""Leaves against the records that Kafka still has: by the commitment, and by what is left where there is none."""

import pytest

from decklog.model import receipt
from decklog.ports import ledger, stream
from services.audit.core import recovery, rereading
from services.audit.core import sequencing_examine as examination
from tests import sequenced

RULES = examination.rules("kafka", sequenced.PREFIX)
NOW = 1_700_000_000_000_000
RECORD = sequenced.record(sequenced.event(1), offset=5)
WHERE = stream.TopicPartition(sequenced.GIT, RECORD.partition)
PLACE = receipt.Place("kafka", sequenced.GIT, 2, RECORD.partition, 5)
SALT = receipt.salt(b"r" * 16, None)


def said(kind=receipt.Kind.EVENT, **changed):
    """The receipt of the record."""
    made = receipt.Receipt(
        kind=kind,
        recorded_at=NOW,
        attributes=receipt.attributes(sequenced.event(1)),
        key="infrastructure",
        commitment=receipt.commitment(SALT, RECORD.value),
        length=len(RECORD.value),
        place=PLACE,
    )
    return made._replace(**changed)


def leaf(given, salt=SALT, kept=0, **position):
    read = {"cluster": "kafka", "incarnation": "x", "epoch": 2, "next_offset": 9, "last_leaf": 7} | position
    positions = {WHERE: ledger.Position(**read)}
    return rereading.leaf(7, receipt.encode(given), salt, positions=positions, firsts={WHERE: kept})


def told(given, salt=SALT, record=RECORD):
    found = {recovery.Sought(WHERE, record.offset): record}
    return [one.problem for one in rereading.problems([leaf(given, salt)], found, RULES)]


OTHER = f"Kafka has another record at offset 5 of {WHERE.topic}/{WHERE.partition}"
ATTRIBUTES = receipt.attributes(sequenced.event(2))


@pytest.mark.parametrize(
    ("given", "salt", "problem"),
    [
        (said(), SALT, []),
        (said(), None, []),
        (said(receipt.Kind.DUPLICATE, commitment=None, about=receipt.Original(3)), None, []),
        (said(commitment=bytes(32)), SALT, [OTHER]),
        (said(key="other"), SALT, [OTHER]),
        (said(key="other"), None, [OTHER]),
        (said(length=1), None, [OTHER]),
        (said(attributes=ATTRIBUTES), None, [OTHER]),
        (
            said(receipt.Kind.DUPLICATE, commitment=None, about=receipt.Original(3), attributes=ATTRIBUTES),
            None,
            [OTHER],
        ),
        # Another release may have read its headers otherwise; its bytes are what the leaf commits to.
        (said(receipt.Kind.POISON, attributes=None, about=receipt.Poison("x")), SALT, []),
        (said(receipt.Kind.POISON, attributes=None, about=receipt.Poison("x")), None, []),
    ],
)
def test_a_leaf_is_of_the_record_at_its_place_or_is_named(given, salt, problem):
    """With its salt by every byte; without one (erased, or a duplicate) by attributes, key and length."""
    assert told(given, salt) == problem


def test_a_gap_is_one_only_where_kafka_has_nothing():
    """One record within is enough; what retention took since is no contradiction, nor is a record behind it."""
    gap = receipt.Receipt(kind=receipt.Kind.GAP, recorded_at=NOW, place=PLACE, about=receipt.Gap(5, 8, "absent"))
    assert told(gap, None) == [f"it is a gap, and Kafka has a record at offset 5 of {WHERE.topic}/{WHERE.partition}"]
    assert told(gap, None, RECORD._replace(offset=8)) == []
    long = gap._replace(about=receipt.Gap(5, 5 + 10**9, "retention"))
    assert leaf(long, None).offsets == range(5, 1005)
    assert leaf(long, None, kept=70_000).offsets == range(70_000, 71_000)
    assert list(leaf(gap, None, kept=70_000).offsets) == []
    assert list(leaf(gap._replace(about=receipt.Gap(5, None, "recreated")), None).offsets) == []


def test_a_position_behind_the_last_record_is_named():
    """A gap that reaches beyond what Kafka has would hide what comes; so far as it has records, all is well."""
    position = ledger.Position(cluster="kafka", incarnation="x", epoch=2, next_offset=9, last_leaf=7)
    assert list(rereading.beyond({WHERE: position}, {WHERE: 9})) == []
    (found,) = rereading.beyond({WHERE: position}, {WHERE: 8})
    assert found.problem.endswith(": says 9, and Kafka's records end at 8")


@pytest.mark.parametrize("position", [{"epoch": 3}, {"cluster": "other"}])
def test_leaves_of_an_earlier_life_of_the_topic_are_compared_with_nothing(position):
    """Its records are gone, and others stand at their offsets."""
    assert leaf(said(), **position) is None
