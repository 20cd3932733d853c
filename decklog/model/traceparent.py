"""W3C Trace Context: the `traceparent` value that ties one hop to the next.

An invalid value is not an error: the specification asks the receiver to start a new trace
(https://www.w3.org/TR/trace-context/#traceparent-header).
"""

import re
from typing import Final, NamedTuple

_IDS = "-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_PARENT: Final = re.compile(f"00{_IDS}|(?!00|ff)[0-9a-f]{{2}}{_IDS}(?:-.*)?", re.ASCII | re.DOTALL)


class TraceParent(NamedTuple):
    """The caller's span: trace id (32 hex digits), its span id (16), and the flags (bit 0: sampled)."""

    trace_id: str
    parent_id: str
    flags: int

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.parent_id}-{self.flags:02x}"


def parse(value: str) -> TraceParent | None:
    """The parsed value, or None where the specification says to start a new trace."""
    return TraceParent(value[3:35], value[36:52], int(value[53:55], 16)) if is_valid(value) else None


def is_valid(value: str) -> bool:
    """Whether it continues a trace: later versions may say more behind what this one knows."""
    return _PARENT.fullmatch(value) is not None
