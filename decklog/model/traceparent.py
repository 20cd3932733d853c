"""W3C Trace Context: the `traceparent` value that ties one hop to the next.

An invalid value is not an error: the specification asks the receiver to start a new trace
(https://www.w3.org/TR/trace-context/#traceparent-header).
"""

import re
from typing import NamedTuple

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII | re.DOTALL)
_NO_TRACE = "0" * 32
_NO_PARENT = "0" * 16


class TraceParent(NamedTuple):
    """The caller's span: trace id (32 hex digits), its span id (16), and the flags (bit 0: sampled)."""

    trace_id: str
    parent_id: str
    flags: int

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.parent_id}-{self.flags:02x}"


def parse(value: str) -> TraceParent | None:
    """The parsed value, or None where the specification says to start a new trace."""
    match = _PARENT.fullmatch(value)
    if match is None:
        return None
    version, trace_id, parent_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest) or trace_id == _NO_TRACE or parent_id == _NO_PARENT:
        return None
    return TraceParent(trace_id, parent_id, int(flags, 16))
