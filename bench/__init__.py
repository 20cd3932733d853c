"""What the README claims, measured: each script prints its figures beside a peer or a limit. Not in the product."""
