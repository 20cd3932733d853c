"""Sizes as people read them."""

_UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def shown(size: int) -> str:
    """`812 bytes`, `1.5 KiB`, `12 MiB`, `4 GiB`."""
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} bytes"
