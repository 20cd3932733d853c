"""What timeline, stream and drift may be filtered by: parsed at the edge, turned into conditions in one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import StringConstraints

from services.audit.api import context, problems, statements
from services.audit.core import moments

Name = Annotated[str | None, Query(max_length=1000)]
Kind = Annotated[str, StringConstraints(max_length=1000)]
Kinds = Annotated[list[Kind] | None, Query(max_length=100, description="type of event; repeated: any of these")]
Actor = Annotated[
    str | None, Query(max_length=1000, description="principal, author of a commit, or one of the last field managers")
]
Moment = Annotated[str | None, Query(max_length=64, description="RFC 3339, or microseconds since 1970")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Only lines of this application, object, actor, cluster, one of these kinds; None = any."""

    app: str | None
    object: str | None
    actor: str | None
    cluster: str | None
    kinds: Sequence[str] | None

    def apply(self, query: statements.Query) -> statements.Query:
        """Add the conditions to a query on the timeline."""
        return (
            query.where("application = {}", self.app)
            .where("object = {}", self.object)
            .where(statements.ACTOR, self.actor)
            .where("cluster = {}", self.cluster)
            .where(*self._of_kind())
        )

    def _of_kind(self) -> tuple[str, Any]:
        """One kind is asked for as such: only then the index gives its lines in order."""
        if self.kinds is not None and len(self.kinds) == 1:
            return "kind = {}", self.kinds[0]
        return "kind = ANY ({})", self.kinds


def of(app: Name = None, object: Name = None, actor: Actor = None, cluster: Name = None, kind: Kinds = None) -> Filter:  # noqa: A002 (the parameter's name in the API)
    """The filter of a request."""
    return Filter(app=app, object=object, actor=actor, cluster=cluster, kinds=kind)


def moment(text: str | None, where: str) -> int | None:
    """Microseconds of a moment, or a 422 that says how to write one."""
    if text is None:
        return None
    try:
        return moments.parse(text)
    except moments.NotAMoment as error:
        raise problems.Problem(
            422, "NotAMoment", f"{where}: {error}", hint="The CLI also takes -1h and '10m ago'"
        ) from error


async def leaves_until(given: context.Context, moment_us: int | None) -> int | None:
    """How many leaves were recorded up to a moment."""
    return None if moment_us is None else int(await given.database.value(statements.LEAVES_UNTIL, moment_us))


Filtered = Annotated[Filter, Depends(of)]
