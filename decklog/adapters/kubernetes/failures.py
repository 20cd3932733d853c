"""What an API server's refusal means for the caller. Pure: status code and body in, error out.

Sources: k8s.io/apimachinery `metav1.Status`; measured answers of kube-apiserver 1.36 to server-side apply.
"""

import re
from collections.abc import Mapping
from typing import Any

from decklog.model import errors
from decklog.ports import cluster

_TERMINATING = "NamespaceTerminating"
_CONFLICT = "FieldManagerConflict"
_MANAGER = re.compile(r'conflict with "(?P<manager>(?:[^"\\]|\\.)*)"')
# Schema errors of server-side apply come as HTTP 500 (kubernetes#100741), and so does a Secret's value that is no
# base64: asking again gives the same answer. A conversion webhook that is away is another 500, and may come back.
_UNTYPEABLE = re.compile(
    r"failed to (?:create|convert) .*typed|field not declared in schema|failed to create manager"
    r"|unable to convert unstructured object"
)
# A stale version is 409 (or 422 for a wrong uid, which counts as a change of an immutable field).
_PRECONDITION = re.compile(r"[Pp]recondition|object has been modified|uid mismatch|StorageError")

_UNREADY = frozenset({408, 429, 502, 503, 504})


def explain(code: int, body: Mapping[str, Any], *, where: str) -> errors.DecklogError:
    """The error for an answer outside 2xx. `body` is the decoded `Status`, or empty."""
    message = str(body.get("message") or f"HTTP {code}")
    causes = _causes(body)
    if code == 409:
        return _conflict(message, str(body.get("reason", "")), causes, where)
    if code in (401, 403):
        return _denied(code, message, causes, where)
    if code == 404:
        return cluster.NotFound(message, where=where, hint="Create what is missing, or correct the name")
    if code == 410:
        return cluster.Expired(message, where=where)
    if code == 422 and (_PRECONDITION.search(message) or any(cause.get("field") == "metadata.uid" for cause in causes)):
        return cluster.Stale(message, where=where)
    if code in _UNREADY or (code >= 500 and not _UNTYPEABLE.search(message)):
        return cluster.Unavailable(message, where=where, hint="It is asked again with growing pauses")
    return cluster.Rejected(message, where=where, hint="Correct the object in Git")


def _causes(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = body.get("details")
    found = details.get("causes") if isinstance(details, dict) else None
    return [cause for cause in found if isinstance(cause, dict)] if isinstance(found, list) else []


def _conflict(message: str, reason: str, causes: list[Mapping[str, Any]], where: str) -> errors.DecklogError:
    fields = [cause for cause in causes if cause.get("reason") == _CONFLICT]
    if fields:
        return cluster.Conflict(message, where=where, conflicts=[_field(cause) for cause in fields])
    if reason in ("Conflict", "AlreadyExists", "") or _PRECONDITION.search(message):
        return cluster.Stale(message, where=where)
    return cluster.Rejected(message, where=where, hint="Correct the object in Git")


def _field(cause: Mapping[str, Any]) -> cluster.FieldConflict:
    found = _MANAGER.search(str(cause.get("message", "")))
    return cluster.FieldConflict(found["manager"] if found else "", str(cause.get("field", "")))


def _denied(code: int, message: str, causes: list[Mapping[str, Any]], where: str) -> errors.DecklogError:
    if any(cause.get("reason") == _TERMINATING for cause in causes):
        return cluster.Unavailable(message, where=where, hint="The namespace is being deleted; it is tried again after")
    hint = "Renew the credentials" if code == 401 else "Grant this service's account the right"
    return cluster.Forbidden(message, where=where, hint=hint)
