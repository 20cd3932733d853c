"""What all applications of a member share."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from decklog.model import failpoints, masking
from decklog.ports import clock
from decklog.runtime import ops
from services.reconcile import clusters, fleet, rendering


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything from outside that an application needs, handed in so that a simulation can hand in its own."""

    fleet: fleet.FleetFollower
    clusters: clusters.Clusters
    workshop: rendering.Workshop
    mask: masking.Masking
    time: clock.Clock
    entropy: Callable[[int], bytes]
    status: ops.Status
    failpoint: failpoints.Failpoint = failpoints.none

    def new_id(self) -> str:
        """A new id for a sync."""
        return str(uuid.UUID(bytes=self.entropy(16), version=4))
