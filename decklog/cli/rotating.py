"""Following a step of the change of the log's key: until its leaf is in a checkpoint that is served."""

import time

from decklog.cli import choices, waiting
from decklog.client import api, awaiting, failures, ledger_answers

_LOOK = "decklog status"


def wait(server: api.Caller, accepted: ledger_answers.RotationAccepted, limit: float) -> None:
    """Until it is served. Raises Failed where nothing was rotated, TimedOut."""
    deadline = time.monotonic() + limit
    waiting.wait(server, "the key of the log", accepted, choices.Wait.RECORDED, limit, look=_LOOK)
    leaf = api.event(server, accepted["event_id"])["leaf"] + 1
    with waiting.interruptible(_LOOK):
        found = _log(server)
        while found is None or found["size"] <= leaf:
            if time.monotonic() >= deadline:
                raise failures.TimedOut(
                    f"no checkpoint is served yet that holds leaf {leaf}",
                    where=f"event {accepted['event_id']}",
                    hint="`decklog status` says what keeps it",
                )
            time.sleep(awaiting.PAUSE_SECONDS / 4)
            found = _log(server)
        _insist(found, accepted, leaf)


def _insist(found: ledger_answers.Log, accepted: ledger_answers.RotationAccepted, leaf: int) -> None:
    """The leaf behind the request is the one that it asked for."""
    if (found["rotated"], found["vkey"], found["beside"] or "") != (leaf, accepted["vkey"], accepted["beside"]):
        raise failures.Failed(
            "the request is recorded, and nothing was rotated: another one came before it",
            where=f"event {accepted['event_id']}",
            hint="Look with `decklog ledger vkey`, and ask again",
        )


def _log(server: api.Caller) -> ledger_answers.Log | None:
    try:
        return api.log(server)
    except failures.Unavailable:
        return None
