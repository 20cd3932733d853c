"""ingest: Git becomes events.

Follows the declared sources, says every commit once ever and every move of a ref, reads the fleet repository, and tells
applications of revisions. `core` decides; the modules beside it act. It meets the other services in events only.
"""
