"""What the README claims, measured: each script prints its figures beside a peer or a limit. Not in the product."""

from services.audit import compiled

COMPILED = compiled.use()
"""Whether the core that is measured is the compiled one (`make compile`): said before anything of it is imported."""
