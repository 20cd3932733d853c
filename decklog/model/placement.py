"""Placement: which partition a key belongs to, the same for every producer and reader.

Kafka's own default (murmur2 of the key, made non-negative, modulo the count; `BuiltInPartitioner` of the Java client),
computed here so that clients are given explicit partitions and a record that sits elsewhere is noticed.
"""

import functools

APPLICATION_PARTITIONS = 12
"""Every topic keyed `cluster/application` has this many partitions, for ever: more means a topic `v2`."""

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_WORD = 0xFFFFFFFF


@functools.lru_cache(maxsize=65_536)
def partition(key: str, count: int = APPLICATION_PARTITIONS) -> int:
    """The partition of a key such as `cluster/application`, `cluster/@scope` or a source's name."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % count


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 (`org.apache.kafka.common.utils.Utils.murmur2`) as an unsigned 32-bit number."""
    words = len(data) & ~3
    mixed = _SEED ^ len(data)
    for start in range(0, words, 4):
        mixed = (mixed * _MULTIPLIER & _WORD) ^ _scramble(int.from_bytes(data[start : start + 4], "little"))
    if data[words:]:
        mixed = (mixed ^ int.from_bytes(data[words:], "little")) * _MULTIPLIER & _WORD
    mixed = (mixed ^ (mixed >> 13)) * _MULTIPLIER & _WORD
    return mixed ^ (mixed >> 15)


def _scramble(word: int) -> int:
    word = word * _MULTIPLIER & _WORD
    word ^= word >> 24
    return word * _MULTIPLIER & _WORD
