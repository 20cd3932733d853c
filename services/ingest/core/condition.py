"""Whether a source can be followed: said once per change, not per attempt."""

from decklog.events.v1 import git_pb2, subject_pb2


def decide(
    source: str, *, said: subject_pb2.Failure | None, now: subject_pb2.Failure | None, attempts: int
) -> git_pb2.SourceFailed | None:
    """The event that says a change, if there is one. `attempts`: failures in a row, also those before a recovery.

    The wording of a failure may differ from attempt to attempt (times, addresses); its reason, file and refs are what
    count.
    """
    if now is None:
        return None if said is None else git_pb2.SourceFailed(source=source, recovered=True, attempts=attempts)
    if said is not None and _identity(said) == _identity(now):
        return None
    return git_pb2.SourceFailed(source=source, failure=now, attempts=attempts)


def _identity(failure: subject_pb2.Failure) -> tuple[str, str, frozenset[str]]:
    return failure.reason, failure.file, frozenset(failure.refs)
