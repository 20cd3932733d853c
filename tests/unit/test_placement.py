"""Placement of keys on partitions."""

import pytest

from decklog.model import placement, topics

# Values of the Java client's own tests (org.apache.kafka.common.utils.UtilsTest).
JAVA_HASHES = [
    ("21", -973932308),
    ("foobar", -790332482),
    ("a-little-bit-long-string", -985981536),
    ("a-little-bit-longer-string", -1486304829),
    ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ("abc", 479470107),
]


@pytest.mark.parametrize(("text", "signed"), JAVA_HASHES)
def test_murmur2_equals_the_java_client(text, signed):
    """Our hash is Kafka's, so any Kafka client finds our keys where we put them."""
    assert placement.murmur2(text.encode()) == signed % (1 << 32)


@pytest.mark.parametrize(("text", "signed"), JAVA_HASHES)
def test_partition_is_the_java_clients_default(text, signed):
    """Partition = (hash with its sign bit cleared) modulo the count."""
    assert placement.partition(text, 12) == (signed & 0x7FFFFFFF) % 12


def test_an_objects_state_sits_with_its_application():
    """The third part of a state key does not move it to another partition than its application's other topics."""
    assert topics.expected_partition(topics.STATE, "dev/shop/apps/Deployment/x/y") == placement.partition("dev/shop")


def test_a_partition_can_be_addressed_itself():
    """`@partition/7` goes to partition 7: that is where a new owner announces itself."""
    assert topics.expected_partition(topics.APPLY, "@partition/7") == 7


def test_other_topics_hash_their_whole_key():
    """A source's name decides its partition among the topic's own count."""
    assert topics.expected_partition(topics.EVIDENCE, "a/b") == placement.partition("a/b", topics.EVIDENCE.partitions)
