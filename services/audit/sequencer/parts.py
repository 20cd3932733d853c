"""What the sequencer is made of, given from outside."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from decklog.model import failpoints
from decklog.ports import clock, ledger, stream
from decklog.runtime import ops
from services.audit.core import sequencing_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Ports, chance and policy. `entropy(n)` gives n random bytes."""

    prefix: str
    connect_ledger: Callable[[], Awaitable[ledger.Writer]]
    make_reader: Callable[[], stream.Reader]
    producer: stream.Producer
    topics: stream.Topics
    time: clock.Clock
    entropy: Callable[[int], bytes]
    readiness: ops.Readiness
    limit: sequencing_limits.Limit = field(default_factory=sequencing_limits.Limit)
    batch_records: int = 8000
    appended: Callable[[ledger.Addition], None] = lambda _addition: None
    """Told of every addition once it is committed."""
    failpoint: failpoints.Failpoint = failpoints.none
