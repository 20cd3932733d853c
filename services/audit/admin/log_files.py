"""Reading the files of a published log's folder, to audit the database against them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from decklog.client import failures
from decklog.model import leaf_ranges
from decklog.model.tlog import note
from services.audit.core import auditing, lost, tally
from services.audit.publisher import folder, records, ring, tallying


@dataclass(frozen=True, slots=True)
class Served:
    """What the log's folder has: the checkpoint that is served, and what was counted before it was.

    Either is None where it cannot be read or is gone; `problems` says so.
    """

    checkpoint: note.Note | None
    counted: tally.Tally | None
    problems: Sequence[auditing.Finding]


def served(log: Path) -> Served | None:
    """What the published log serves, if anything. Raises Misconfigured where there is no such folder."""
    if not log.is_dir():
        raise failures.Misconfigured(
            "there is no such folder", where=str(log), hint="Name the folder of DECKLOG_LOG_DIR"
        )
    here = folder.LogFolder(log)
    data = here.read(folder.CHECKPOINT)
    signed, counted, problems = None, None, list[str]()
    try:
        records.parse(data, folder.CHECKPOINT)
        signed = None if data is None else note.parse(data)
    except records.Refused as refusal:
        problems.append(f"`{folder.CHECKPOINT}` of the log's folder: {refusal.problem}")
    try:
        counted = tallying.read(here)
    except ring.Unfit as unfit:
        problems.append(f"`{tally.PATH}` of the log's folder: {unfit.problem}")
    else:
        if counted is None and data is None:
            return None
        if counted is None:
            problems.append(f"the log's folder has no file `{tally.PATH}`: it was removed")
        # The first is counted a moment before it is served.
        elif data is None and counted[tally.Kind.CHECKPOINT].rows > 1:
            problems.append(f"the log's folder has no file `{folder.CHECKPOINT}`: it was removed")
    return Served(signed, counted, [auditing.Finding(None, problem) for problem in problems])


def emptied(log: Path, signed: int) -> Iterator[auditing.Finding]:
    """That a folder has no published log, though so many checkpoints were signed: each is served before the next is."""
    if signed > 1 and served(log) is None:
        problem = (
            f"{log} has no published log, and {signed} checkpoints were signed: it is another folder, or was emptied"
        )
        yield auditing.Finding(None, problem)


@dataclass(frozen=True, slots=True)
class Lost:
    """Which payloads recoveries kept as lost; None where there is nowhere to look. `problems` of the file itself."""

    ranges: Sequence[leaf_ranges.Range] | None
    problems: Sequence[auditing.Finding] = ()


def kept_as_lost(log: Path | None, copy: Path | None) -> Lost:
    """What the file `lost` of a log's folder has, or a `copy` of it.

    Raises Misconfigured for a copy that cannot be read.
    """
    path = copy or (None if log is None else log / lost.PATH)
    if path is None:
        return Lost(None)
    try:
        return Lost(lost.decode(path.read_bytes()))
    except FileNotFoundError:
        if copy is None:
            return Lost([])
        raise failures.Misconfigured(
            "there is no such file", where=str(path), hint="--lost names a copy of it"
        ) from None
    except (OSError, lost.Malformed) as error:
        if copy is None:
            return Lost([], [auditing.Finding(None, f"`{lost.PATH}` of the log's folder cannot be read: {error}")])
        raise failures.Misconfigured(
            f"it cannot be read: {error}", where=str(path), hint="Take it from a backup"
        ) from error
