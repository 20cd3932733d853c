"""Verdicts of the verifier as values: what its tables are drawn from."""

from decklog.events.v1 import git_pb2
from decklog.model import receipt, selection
from decklog.model.evidence import Stretch
from decklog.model.tlog import checkpoint
from decklog.verifier import completeness, evidence_check, log, repository
from decklog.verifier.finding import Finding

TREE = checkpoint.Checkpoint("log.example.org/0190f3c1-0000-7000-8000-000000000001", 1_234_567, bytes(range(32)))
MAIN = "refs/heads/main"
FIRST, SECOND, THIRD = "1a" * 20, "2b" * 20, "3c" * 20


def _covering(*, whole: bool) -> completeness.Completeness:
    """Some partitions with all that a partition can go through; without `whole` an offset and a commit are missing."""
    found = completeness.Completeness(report=lambda _: None, open=lambda _: None)
    leaf = 0

    def add(topic: str, epoch: int, offset: int, kind: str = "event", about: receipt.About | None = None) -> None:
        nonlocal leaf
        place = receipt.Place("SVKNgpfoQtWFvYhj8EEECQ", f"decklog.{topic}.v1", epoch, 11, offset)
        list(found.offsets.add(leaf, kind, place, about))
        leaf += 1

    for offset in range(1200):
        if offset != 700 or whole:
            add("evidence", 0, offset)
    add("apply", 0, 0, "gap", receipt.Gap(0, 52_000, "retention"))
    add("apply", 0, 52_000)
    add("apply", 0, 52_001, "gap", receipt.Gap(52_001, 52_002, "absent"))
    add("apply", 0, 52_002, "duplicate", receipt.Original(7))
    add("apply", 0, 52_003, "conflict", receipt.Original(7))
    add("apply", 0, 52_004, "poison", receipt.Poison("the record has no value"))
    add("apply", 0, 52_005, "gap", receipt.Gap(52_005, None, "recreated"))
    add("apply", 1, 0)
    history = found.histories["infrastructure"] = completeness.git_record.History()
    said = [git_pb2.CommitObserved(commit=FIRST), git_pb2.CommitObserved(commit=SECOND, parents=[FIRST])]
    for commit in said if whole else said[1:]:
        list(history.commit(commit))
    list(history.move(9, git_pb2.RefMoved(ref=MAIN, new=SECOND, sequence=1)))
    return found


COMPLETE = log.Verdict(tree=TREE, leaves=TREE.size, checkpoints=3, completeness=_covering(whole=True))
COMPLETE_BESIDE = {
    "infrastructure": repository.Compared(listed=2, missing=(), only_recorded=0, lost=()),
}
HOLES = log.Verdict(
    tree=TREE,
    leaves=TREE.size,
    checkpoints=3,
    completeness=_covering(whole=False),
    holes=[
        Finding(path="decklog.evidence.v1/11", problem="offset 701 of decklog.evidence.v1/11 follows 699", leaf=700),
        Finding(
            path="source infrastructure",
            problem=f"commit {SECOND} has the parent {FIRST}, which is not recorded before it",
            leaf=1208,
        ),
    ],
)
HOLES_BESIDE = {
    "infrastructure": repository.Compared(listed=2, missing=(FIRST,), only_recorded=0, lost=()),
}

EVIDENCE = evidence_check.Verdict(
    tree=TREE,
    chosen=selection.Selection(application="shop", since=1_782_864_000_000_000, until=1_790_812_799_999_999),
    stretch=Stretch(120_000, 980_000),
    completeness=(
        "Of the leaves 120000 to 979999, which are all that were recorded between the two moments among the first "
        "1234567, these 214 are all of application shop: those whose key is */shop, on the fleet topic "
        "application/shop. All receipts of the stretch are in log/."
    ),
    stamped=1_200_000,
    leaves=214,
    payloads=213,
)
FORGED = evidence_check.Verdict(
    tree=TREE,
    chosen=EVIDENCE.chosen,
    stretch=EVIDENCE.stretch,
    leaves=213,
    payloads=212,
    findings=[
        Finding(
            path="log/tile/entries/x001/171",
            problem="the selection takes it, and it is not there",
            leaf=300_001,
        ),
        Finding(
            path="leaves/000000300001/value.bin",
            problem="it is not the payload that its leaf commits to",
            leaf=300_001,
        ),
    ],
)
