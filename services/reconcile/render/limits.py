"""How much a render may take. Sizes in bytes."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderLimits:
    """Limits of one render; passing one is a failure that names it.

    Attributes:
        seconds: wall-clock time, after which the worker and what it started are killed.
        cpu_seconds: processor time of each process.
        memory: writable memory of each process.
        file: one manifest.
        total: all manifests of a render together.
        files, objects: how many.
        answer: what the worker may send back.
    """

    seconds: float = 60.0
    cpu_seconds: int = 60
    memory: int = 1024 * MIB
    file: int = 4 * MIB
    total: int = 64 * MIB
    files: int = 10_000
    objects: int = 20_000
    answer: int = 128 * MIB
