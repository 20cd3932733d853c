"""Every projection, in the order in which they see a leaf: what counts objects comes after what declares them."""

from services.audit.core.folding import Projection
from services.audit.core.projections import (
    access,
    applications,
    drift,
    fleet,
    git,
    notices,
    objects,
    owners,
    speakers,
    syncs,
    timeline,
    versions,
)

ALL: tuple[Projection, ...] = (
    owners.PROJECTION,
    git.PROJECTION,
    fleet.PROJECTION,
    applications.PROJECTION,
    objects.PROJECTION,
    syncs.PROJECTION,
    drift.PROJECTION,
    versions.PROJECTION,
    access.PROJECTION,
    speakers.PROJECTION,
    notices.PROJECTION,
    timeline.PROJECTION,
)
