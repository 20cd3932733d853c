"""How large what somebody else wrote may be: one table, in bytes. `bounds` and `packed` read no more of anything.

Each is well above what an honest log or bundle has, so that one that is a little too large is told for what it is.
"""

from decklog.model import evidence
from decklog.model.tlog import tiles

_ENTRY_BYTES = 2 + 0xFFFF
"""The longest entry of a bundle (c2sp.org/tlog-tiles), with its length."""

# Of a log, in a folder or served.
TILE = 1 << 16
"""A whole one has 8 KiB."""
BUNDLE = tiles.WIDTH * _ENTRY_BYTES + TILE
SMALL = 1 << 20
"""Every other file that is read as a whole, such as the checkpoint."""
LINE = 4 << 20
"""Room for a note of the largest size with its cosignatures, as JSON."""
LIST = 1 << 30
"""A file of lines, never in memory as a whole."""
PROBLEM = 1 << 16
"""What a server says of an error."""

# Of an evidence bundle, unpacked.
EVIDENCE_SMALL = 32 << 20
EVIDENCE_LINE = 32 << 20
"""Room for the largest event (4 MiB), should JSON escape each byte of it."""
EVIDENCE_TABLE = 8 << 30
"""Never in memory as a whole."""
EVIDENCE_VALUE = 1 << 30
"""The raw bytes of an event; never in memory as a whole."""


def of_log(path: str) -> int:
    """For a file of a log that is read as a whole, by its path (c2sp.org/tlog-tiles)."""
    if path.startswith("tile/entries/"):
        return BUNDLE
    return TILE if path.startswith("tile/") else SMALL


def of_evidence(name: str) -> int:
    """For a file of an evidence bundle, by its name."""
    if name in (evidence.ROWS, evidence.TABLE):
        return EVIDENCE_TABLE
    if name.startswith(evidence.LOG):
        return of_log(name.removeprefix(evidence.LOG))
    return EVIDENCE_VALUE if name.endswith(evidence.VALUE) else EVIDENCE_SMALL
