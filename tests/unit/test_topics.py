"""What is wrong with a topic that exists."""

import pytest

from decklog.adapters import system
from decklog.adapters.memory import stream as memory
from decklog.model import errors, events, topics
from decklog.runtime import topics as runtime_topics


def existing(partitions=12, **changed):
    settings = topics.settings(topics.CONTROL, dev=False) | {name.replace("_", "."): v for name, v in changed.items()}
    return topics.Existing(partitions=partitions, replication=3, settings=settings)


def test_a_topic_as_ensured_is_without_fault():
    """What `ensure` creates is what the services accept."""
    assert topics.faults("x.control.v1", topics.CONTROL, existing(), dev=False) == []


def test_another_partition_count_cannot_be_mended():
    """Placement is proved by the ledger, so a changed count is named and never altered."""
    (fault,) = topics.faults("x.control.v1", topics.CONTROL, existing(partitions=13), dev=False)
    assert fault.setting is None
    assert "13 partitions instead of 12" in str(fault)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cleanup_policy", "compact"),
        ("retention_ms", "3600000"),
        ("retention_bytes", "1000"),
        ("min_insync_replicas", "1"),
        ("max_message_bytes", "1048588"),
    ],
)
def test_a_weaker_setting_is_a_fault_that_can_be_mended(setting, value):
    """Each promise that rests on a setting is checked, and the fault carries the setting that mends it."""
    (fault,) = topics.faults("x.control.v1", topics.CONTROL, existing(**{setting: value}), dev=False)
    assert fault.setting == (setting.replace("_", "."), topics.settings(topics.CONTROL, dev=False)[fault.setting[0]])


@pytest.mark.parametrize(
    ("setting", "value"), [("retention_ms", "-1"), ("retention_ms", "99999999999"), ("min_insync_replicas", "3")]
)
def test_a_stronger_setting_is_an_operators_right(setting, value):
    """Longer retention and more replicas than asked for pass."""
    assert topics.faults("x.control.v1", topics.CONTROL, existing(**{setting: value}), dev=False) == []


def test_a_single_broker_may_keep_one_replica():
    """In dev one in-sync replica is enough."""
    found = topics.faults("x.control.v1", topics.CONTROL, existing(min_insync_replicas="1"), dev=True)
    assert found == []


def test_every_registered_event_has_a_sequenced_topic():
    """The registry of events and the table of topics speak of the same topics; state and cursor hold no events."""
    assert {kind.topic for kind in events.KINDS} <= {topic.label for topic in topics.SEQUENCED}


async def test_a_moment_without_brokers_ends_nobody():
    """A single broker that misses its heartbeats under load names none: its topics are as they were, and it is asked
    again. Taken for a cluster of several, it had `min.insync.replicas` of a wrong kind, which ended a service.
    """
    cluster = memory.MemoryCluster(system.SystemClock())
    port = memory.MemoryTopics(cluster)
    await runtime_topics.ensure(port, "d")
    await runtime_topics.check(port, "d")
    cluster.brokers = 0
    for asked in (runtime_topics.check(port, "d"), runtime_topics.ensure(port, "d", fix=True)):
        with pytest.raises(errors.Transient, match="no broker"):
            await asked
    cluster.brokers = 1
    await runtime_topics.check(port, "d")
