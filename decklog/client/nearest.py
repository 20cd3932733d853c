"""A name that does not exist: say which one was probably meant."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

from decklog.client import failures
from decklog.model import naming


@contextlib.contextmanager
def suggesting(kind: str, name: str, known: Callable[[], Sequence[str]]) -> Iterator[None]:
    """Let a NotFound about that very thing name the nearest known name. `known` is called only then.

    `kind`: the server's word for what the name is of, such as `application`.
    """
    try:
        yield
    except failures.NotFound as error:
        if error.problem != f"there is no {kind} {name!r}":
            raise
        raise failures.NotFound(error.problem, where=error.where, hint=hint(name, known())) from error


def hint(name: str, known: Sequence[str]) -> str:
    """What to do next about a name that does not exist."""
    near = naming.nearest(name, known) or naming.nearest(name.lower(), known)
    if near:
        return f"Did you mean {near!r}?"
    if not known:
        return "None is declared yet: decklog app create declares one"
    if len(known) == 1:
        return f"There is only {known[0]}"
    shown = ", ".join(sorted(known)[:5])
    return f"There are {shown}" + (f" and {len(known) - 5} more" if len(known) > 5 else "")
