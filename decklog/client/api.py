"""One function per endpoint of `/api/v1`: arguments in, answers out."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any, NamedTuple, Protocol
from urllib.parse import quote

from decklog.client import answers, failures, ledger_answers

ROOT = "/api/v1"
STREAM = f"{ROOT}/stream"
MOST = 1_000
"""The longest page the server gives."""
LAST_LEAF = 2**62
"""No leaf has a larger number."""

Value = str | int | bool | Sequence[str] | None
Params = Mapping[str, Value]


class Caller(Protocol):
    """What is needed of a connection (see `server.Server`)."""

    def get(self, path: str, params: Params | None = None) -> Any:
        """Return the JSON at a path."""

    def post(self, path: str, body: Any) -> Any:
        """Send JSON and return the JSON that comes back."""

    def patch(self, path: str, body: Any) -> Any:
        """Send a change as JSON and return the JSON that comes back."""

    def delete(self, path: str, params: Params | None = None) -> Any:
        """Ask for a removal and return the JSON that comes back."""

    def stream(
        self, path: str, params: Params | None = None, last_id: str = ""
    ) -> AbstractContextManager[Iterator[str]]:
        """Open a stream of server-sent events and give its lines."""

    def download(self, path: str, body: Any) -> AbstractContextManager[IO[bytes]]:
        """Send JSON and give the bytes that come back, to be read as they arrive."""


def _path(*parts: str) -> str:
    return "/".join([ROOT, *(quote(part, safe="") for part in parts)])


def log(server: Caller) -> ledger_answers.Log:
    """The published log. Raises NotFound where none is published."""
    found: ledger_answers.Log = server.get(_path("log"))
    return found


def rotate(server: Caller, step: str, reason: str) -> ledger_answers.RotationAccepted:
    """Ask for a step of the change of the log's key. Raises Rejected where it is not its turn."""
    found: ledger_answers.RotationAccepted = server.post(_path("log", "rotation"), {"step": step, "reason": reason})
    return found


def applications(server: Caller) -> list[answers.Application]:
    """All applications."""
    return _items(server.get(_path("applications")))


def application_names(server: Caller) -> list[str]:
    """The names of all applications."""
    return [one["name"] for one in applications(server)]


def application(server: Caller, name: str) -> answers.ApplicationDetail:
    """One application with its objects. Raises NotFound."""
    found: answers.ApplicationDetail = server.get(_path("applications", name))
    return found


def create_application(server: Caller, body: Mapping[str, Any]) -> answers.Accepted:
    """Declare an application, and its source where `repo` is given."""
    found: answers.Accepted = server.post(_path("applications"), body)
    return found


def change_application(server: Caller, name: str, changes: Mapping[str, Any], *, reason: str) -> answers.Accepted:
    """Change fields of an application's spec; None gives one its default again. Raises NotFound."""
    found: answers.Accepted = server.patch(_path("applications", name), {"spec": changes, "reason": reason})
    return found


def delete_application(server: Caller, name: str, *, cascade: bool, reason: str) -> answers.Accepted:
    """Remove a declaration; with `cascade` its objects, too."""
    params = {"objects": "cascade" if cascade else "keep", "reason": reason}
    found: answers.Accepted = server.delete(_path("applications", name), params)
    return found


def sync(server: Caller, name: str, body: Mapping[str, Any]) -> answers.Accepted:
    """Ask for a sync."""
    found: answers.Accepted = server.post(_path("applications", name, "sync"), body)
    return found


def sync_detail(server: Caller, sync_id: str) -> answers.SyncDetail:
    """One sync with what became of each object that it touched. Raises NotFound."""
    found: answers.SyncDetail = server.get(_path("syncs", sync_id))
    return found


def clusters(server: Caller) -> list[answers.Cluster]:
    """All clusters."""
    return _items(server.get(_path("clusters")))


def confirm_cluster(server: Caller, name: str, body: Mapping[str, Any]) -> answers.Accepted:
    """Confirm that the cluster that a name points at now is meant."""
    found: answers.Accepted = server.post(_path("clusters", name, "confirm"), body)
    return found


def cluster_names(server: Caller) -> list[str]:
    """The names of all clusters."""
    return [one["name"] for one in clusters(server)]


def sources(server: Caller) -> list[answers.Source]:
    """All sources."""
    return _items(server.get(_path("sources")))


def source_names(server: Caller) -> list[str]:
    """The names of all sources."""
    return [one["name"] for one in sources(server)]


def delete_source(server: Caller, name: str, *, reason: str) -> answers.Accepted:
    """Remove the declaration of a source that no application uses."""
    found: answers.Accepted = server.delete(_path("sources", name), {"reason": reason})
    return found


def timeline(server: Caller, query: Params, limit: int) -> answers.Timeline:
    """The newest lines of the timeline, newest first, fetched page by page; as of the first page."""
    found: answers.Timeline | None = None
    before: int | None = None
    while found is None or (before is not None and len(found["items"]) < limit):
        size = min(limit - len(found["items"]) if found else limit, MOST)
        page = server.get(_path("timeline"), {**query, "limit": size, "before": before})
        if found is None:
            found = answers.Timeline(items=page["items"], before_leaf=page["before_leaf"])
        else:
            found["items"] += page["items"]
        before = page["next"]
    return found


def notices(server: Caller, query: Params, limit: int) -> list[ledger_answers.Notice]:
    """The newest notices, newest first. `query`: `kind`, `topic`, `since`."""
    return _items(server.get(_path("notices"), {**query, "limit": limit}))


def drift(server: Caller, *, app: str, phase: str, limit: int) -> list[answers.Episode]:
    """Episodes of drift, newest first. `phase`: `open`, `resolved` or `all`."""
    return _items(server.get(_path("drift"), {"app": app or None, "phase": phase, "limit": limit}))


def episode(server: Caller, identifier: str) -> answers.EpisodeDetail:
    """One episode of drift, by its id or a beginning of it that fits no other. Raises NotFound or Rejected."""
    try:
        found: answers.EpisodeDetail = server.get(_path("drift", identifier))
    except failures.NotFound:
        full = _only_episode(identifier, [one["episode"] for one in drift(server, app="", phase="all", limit=MOST)])
        if full is None:
            raise
        found = server.get(_path("drift", full))
    return found


def _only_episode(prefix: str, known: list[str]) -> str | None:
    fitting = [one for one in known if one.startswith(prefix)]
    if len(fitting) > 1:
        raise failures.Rejected(f"more than one drift episode begins with {prefix!r}", hint="Give more of the id")
    return fitting[0] if fitting else None


def state(server: Caller, *, at: int, app: str, cluster: str) -> answers.State:
    """The objects of an application or a cluster at a moment."""
    found: answers.State = server.get(_path("state"), {"at": at, "app": app or None, "cluster": cluster or None})
    return found


def instant_of(server: Caller, identifier: str) -> int:
    """The instant of an event. Raises NotFound."""
    return int(event(server, identifier)["time_us"])


def event(server: Caller, identifier: str) -> answers.Event:
    """One event, by its id, a beginning of it, or the number of its leaf. Raises NotFound or Rejected."""
    found: answers.Event = server.get(_path("leaves" if is_leaf(identifier) else "events", identifier))
    return found


def is_leaf(identifier: str) -> bool:
    """Whether that is the number of a leaf; else it is part of an id."""
    return identifier.isascii() and identifier.isdigit() and int(identifier) < LAST_LEAF


def beginning(server: Caller) -> int | None:
    """When the first event was recorded; None while there is none."""
    try:
        return int(event(server, "0")["recorded_us"])
    except failures.NotFound:
        return None


def outcome(server: Caller, identifier: str, *, until: str, hold: float) -> answers.Outcome:
    """How far a command came; the server holds its answer for up to `hold` seconds while it is not far enough."""
    query = {"until": until, "timeout": f"{hold:.1f}"}
    found: answers.Outcome = server.get(_path("events", identifier, "outcome"), query)
    return found


def payloads(server: Caller, first: int, end: int, reason: str) -> AbstractContextManager[IO[bytes]]:
    """The payloads of the leaves [first, end), in the form of payload files. The server records who took them."""
    return server.download(_path("exports", "payloads"), {"first": first, "end": end, "reason": reason})


def evidence(server: Caller, leaves: Sequence[int], selection: str, reason: str) -> AbstractContextManager[IO[bytes]]:
    """What is said of some leaves, with their payloads (see the server's API). The server records who took them."""
    return server.download(
        _path("exports", "evidence"), {"leaves": list(leaves), "selection": selection, "reason": reason}
    )


class Named(NamedTuple):
    """Leaves by number, and events by whole ids with all that came under them, of one source each (empty: the only)."""

    events: Sequence[str] = ()
    source: str = ""
    leaves: Sequence[int] = ()


def erasable(server: Caller, *, subject: str, named: Named, first: int) -> ledger_answers.ErasurePreview:
    """The leaves that hold data of a subject, or the named ones, from a leaf on; a stretch at a time."""
    body = {"subject": subject, "first": first, **named._asdict()}
    found: ledger_answers.ErasurePreview = server.post(_path("erasures", "preview"), body)
    return found


def erase(server: Caller, leaves: Sequence[tuple[int, int]], reason: str) -> ledger_answers.ErasureAccepted:
    """Have the payloads of ranges of leaves erased."""
    body = {"leaves": [list(one) for one in leaves], "reason": reason}
    found: ledger_answers.ErasureAccepted = server.post(_path("erasures"), body)
    return found


def erasure(server: Caller, identifier: str, *, hold: float) -> ledger_answers.Erasure:
    """What became of a request; the server holds its answer for up to `hold` seconds."""
    found: ledger_answers.Erasure = server.get(_path("erasures", identifier), {"timeout": f"{hold:.1f}"})
    return found


def legal_holds(server: Caller) -> list[ledger_answers.Hold]:
    """The legal holds that stand."""
    return _items(server.get(_path("legal-holds")))


def place_legal_hold(server: Caller, hold: str, reason: str) -> answers.Accepted:
    """Forbid every erasure."""
    found: answers.Accepted = server.post(_path("legal-holds"), {"hold": hold, "reason": reason})
    return found


def release_legal_hold(server: Caller, hold: str, reason: str) -> answers.Accepted:
    """End a legal hold."""
    found: answers.Accepted = server.post(_path("legal-holds", "release"), {"hold": hold, "reason": reason})
    return found


def status(server: Caller) -> ledger_answers.Status:
    """How far the ledger and its projections are."""
    found: ledger_answers.Status = server.get(_path("status"))
    return found


def refusals(server: Caller) -> list[answers.Refusal]:
    """Declarations that do not count, newest first."""
    return _items(server.get(_path("refusals")))


def _items(page: Any) -> list[Any]:
    items: list[Any] = page["items"]
    return items
