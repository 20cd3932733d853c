"""Where reading goes on after retention, recreation and a change of cluster."""

from decklog.model import merkle
from decklog.ports import ledger, stream
from services.audit.core import sequencing
from services.audit.core import sequencing_examine as examination
from services.audit.core import sequencing_resume as resuming
from tests import sequenced

P0, P1 = (stream.TopicPartition(sequenced.GIT, number) for number in (0, 1))
OTHER = stream.TopicPartition("t.fleet.v1", 0)


INCARNATIONS = {sequenced.GIT: "a", "t.fleet.v1": "a"}


def position(next_offset, epoch=0, cluster="kafka", incarnation="a"):
    return ledger.Position(cluster=cluster, incarnation=incarnation, epoch=epoch, next_offset=next_offset, last_leaf=5)


def jumps(positions, available, **changed):
    given = {where: resuming.Available(*offsets) for where, offsets in available.items()}
    return resuming.jumps(positions, given, **{"cluster": "kafka", "incarnations": INCARNATIONS, **changed})


def test_nothing_lost_nothing_said():
    """A position inside what the partition holds, or at its end, goes on."""
    assert jumps({P0: position(5)}, {P0: (0, 5), P1: (0, 3)}) == []


def test_what_retention_took_is_a_gap():
    """Reading resumes at the oldest record there is, in the same epoch."""
    assert jumps({P0: position(5, epoch=2)}, {P0: (9, 20)}) == [
        sequencing.Jump(where=P0, resume=9, epoch=2, end=9, reason=sequencing.RETENTION)
    ]


def test_a_topic_first_seen_late_starts_with_a_gap():
    """Offsets removed before the first reading are recorded as lost."""
    assert jumps({}, {P0: (4, 6)}) == [sequencing.Jump(where=P0, resume=4, epoch=0, end=4, reason=sequencing.RETENTION)]


def test_a_topic_that_ends_below_a_position_was_recreated():
    """All its partitions start a new epoch from 0; what was left unread in the old one is unknown. Others go on."""
    found = jumps({P0: position(5), P1: position(2), OTHER: position(1)}, {P0: (0, 3), P1: (0, 7), OTHER: (0, 1)})
    assert found == [
        sequencing.Jump(where=where, resume=0, epoch=1, end=None, reason=sequencing.RECREATED) for where in (P0, P1)
    ]


def test_another_record_before_the_position_means_recreated():
    """The end alone does not tell when the new topic has grown past the position."""
    assert {jump.epoch for jump in jumps({P0: position(5, epoch=3)}, {P0: (0, 9)}, mismatched={P0})} == {4}


def test_another_incarnation_means_recreated():
    """Kafka's own id of the topic tells even when offsets and records cannot."""
    (found,) = jumps({P0: position(5, incarnation="b")}, {P0: (0, 5)})
    assert (found.epoch, found.resume, found.end) == (1, 0, None)


def test_another_cluster_means_recreated():
    """Offsets of one Kafka cluster mean nothing in another."""
    (found,) = jumps({P0: position(5, cluster="old")}, {P0: (0, 9)})
    assert (found.epoch, found.resume) == (1, 0)


def test_a_recreated_topic_may_have_lost_its_beginning_too():
    """The new incarnation's own loss is a second gap."""
    assert [jump.reason for jump in jumps({P0: position(5)}, {P0: (2, 3)})] == [
        sequencing.RECREATED,
        sequencing.RETENTION,
    ]


def test_a_jump_is_a_gap_leaf_in_the_old_coordinates():
    """The leaf names the cluster and epoch that ended; the position is in the new ones."""
    standing = sequencing.Standing(
        head=ledger.Head(frontier=merkle.Frontier(), recorded_at=0),
        positions={P0: position(5, cluster="old")},
        incarnations={sequenced.GIT: "b"},
    )
    given = sequencing.Jump(where=P0, resume=0, epoch=1, end=None, reason=sequencing.RECREATED)
    batch = sequencing.jump(standing, [given], rules=examination.rules("new", "t"), now_us=1)
    said = sequencing.receipt.parse(batch.addition.leaves.receipts[0])
    assert (said.place.cluster, said.place.epoch, said.about.first, said.about.end) == ("old", 0, 5, None)
    assert batch.addition.positions[P0] == ledger.Position(
        cluster="new", incarnation="b", epoch=1, next_offset=0, last_leaf=0
    )


def test_only_what_can_still_be_read_is_probed():
    """A record that retention took cannot be compared; neither can one beyond the end."""
    positions = {P0: position(5), P1: position(5), OTHER: position(5)}
    available = {P0: resuming.Available(0, 5), P1: resuming.Available(5, 9), OTHER: resuming.Available(0, 4)}
    assert resuming.to_be_probed(positions, available) == {P0: 5}
