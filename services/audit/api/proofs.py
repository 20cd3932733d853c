"""Proofs that a leaf is in the published log, made of a handful of tiles; who has one needs this server no more."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from decklog.client import failures
from decklog.verifier import proving, source
from services.audit.api import problems, tlog
from services.audit.api.context import Given
from services.audit.core import integration

router = APIRouter(tags=["log"])

_TEXT = "text/plain; charset=utf-8"


@router.get(
    "/leaves/{leaf}/proof",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def get_proof(given: Given, leaf: Annotated[int, Path(ge=0, le=2**62)]) -> Response:
    """A proof file (c2sp.org/tlog-proof) of a leaf under the newest checkpoint."""
    if given.log is None:
        raise problems.Problem(404, "NotPublished", "this server publishes no log", hint=tlog.NOT_PUBLISHED)
    try:
        proof = proving.inclusion(source.Folder(given.log.path / integration.PUBLIC), leaf)
    except failures.NotFound as error:
        raise problems.Problem(404, "NotFound", error.problem, hint=error.hint) from error
    return Response(proof.to_text(), media_type=_TEXT, headers={"Cache-Control": "no-cache"})
