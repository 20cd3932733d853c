"""What reconcile is built from. Everything from outside is a port: a simulation hands in its own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from decklog.model import failpoints, masking
from decklog.ports import clock, mirror, stream
from decklog.runtime import ops
from services.reconcile import clusters, rendering


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of one member.

    Attributes:
        new_reader: a stream reader of its own for each caller.
        connect: reaches the cluster of a kubeconfig context.
        render: renders (tree, path, kind).
        write_seconds: how long one write to a cluster may take at most.
        scratch: a folder for exported trees.
        member: permanent name of this process while it lives.
        status: says of a component that the whole waits for it.
        complain: says of a component, such as one cluster of several, that all the rest does without it.
    """

    prefix: str
    member: str
    producer: stream.Producer
    new_reader: Callable[[], stream.Reader]
    membership: stream.Membership
    topics: stream.Topics
    connect: clusters.Connect
    mirrors: mirror.Mirrors
    render: rendering.Render
    mask: masking.Masking
    write_seconds: float
    scratch: Path
    time: clock.Clock
    entropy: Callable[[int], bytes]
    status: ops.Status
    complain: ops.Status
    failpoint: failpoints.Failpoint = failpoints.none
