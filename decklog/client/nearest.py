"""A name that does not exist: say which one was probably meant."""

import contextlib
import difflib
from collections.abc import Callable, Iterator, Sequence

from decklog.client import failures


@contextlib.contextmanager
def suggesting(name: str, known: Callable[[], Sequence[str]]) -> Iterator[None]:
    """Let a NotFound that passes name the nearest known name. `known` is called only then."""
    try:
        yield
    except failures.NotFound as error:
        raise failures.NotFound(error.problem, where=error.where, hint=hint(name, known())) from error


def hint(name: str, known: Sequence[str]) -> str:
    """What to do next about a name that does not exist."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    if not known:
        return "None is declared yet: decklog app create declares one"
    if len(known) == 1:
        return f"There is only {known[0]}"
    shown = ", ".join(sorted(known)[:5])
    return f"There are {shown}" + (f" and {len(known) - 5} more" if len(known) > 5 else "")
