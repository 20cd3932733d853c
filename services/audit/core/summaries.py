"""One line per event for people: what happened, in the words of the field. Masked data only, never a payload."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from decklog.events.v1 import access_pb2, apply_pb2, control_pb2, drift_pb2, fleet_pb2, git_pb2, live_pb2, subject_pb2
from decklog.model.tlog import rotation
from services.audit.core import wording

LONGEST = 300
SHORT_COMMIT = 8


def line(message: Message) -> str:
    """What happened, on one line of at most `LONGEST` characters."""
    tell = _TELLERS.get(type(message))
    text = " ".join((tell(message) if tell else _name(message)).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def level(message: Message) -> str:
    """How much it asks for attention: `error`, `warning`, `notice` (somebody or something acted) or `info`."""
    found = _LEVELS.get(type(message), "info")
    return found if isinstance(found, str) else found(message)


def _level_of_sync(message: apply_pb2.SyncFinished) -> str:
    return "notice" if message.outcome == apply_pb2.SYNC_OUTCOME_SUCCEEDED else "error"


def _level_of_health(message: apply_pb2.HealthChanged) -> str:
    return "error" if message.after in (apply_pb2.HEALTH_DEGRADED, apply_pb2.HEALTH_MISSING) else "info"


_LEVELS: Mapping[type[Message], str | Callable[[Any], str]] = {
    git_pb2.SourceFailed: lambda message: "notice" if message.recovered else "error",
    drift_pb2.DriftObserved: lambda one: "notice" if one.phase == drift_pb2.DRIFT_PHASE_RESOLVED else "warning",
    apply_pb2.SyncFinished: _level_of_sync,
    apply_pb2.HealthChanged: _level_of_health,
    apply_pb2.RenderFailed: "error",
    apply_pb2.StateLost: lambda one: "notice" if one.recovered else "error",
    apply_pb2.ClaimConflicted: lambda one: "notice" if one.settled else "error",
    fleet_pb2.DeclarationRefused: lambda message: "info" if message.withdrawn else "error",
    apply_pb2.ObjectApplied: lambda one: "error" if one.outcome == apply_pb2.OBJECT_OUTCOME_FAILED else "notice",
    access_pb2.AccessDenied: "warning",
    access_pb2.LoginFailed: "warning",
    live_pb2.WatchGap: "warning",
    fleet_pb2.ClusterIdentityChanged: lambda message: "warning" if message.before else "info",
    git_pb2.RefMoved: "notice",
    control_pb2.SyncRequested: "notice",
    control_pb2.ErasureRequested: "warning",
    control_pb2.KeyRotationRequested: "warning",
    control_pb2.LegalHoldPlaced: "notice",
    control_pb2.LegalHoldReleased: "notice",
    fleet_pb2.ApplicationDeclared: "notice",
    fleet_pb2.ApplicationRemoved: "notice",
}


def _name(message: Message) -> str:
    return message.DESCRIPTOR.name


def _short(commit: str) -> str:
    return commit[:SHORT_COMMIT] or "nothing"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0] or "(no message)"


def _ref(ref: str) -> str:
    return ref.removeprefix("refs/heads/").replace("refs/tags/", "tag ")


def _object(reference: subject_pb2.ObjectRef) -> str:
    return wording.object_key(reference).display


def _why(failure: subject_pb2.Failure) -> str:
    place = f"{failure.file}:{failure.line}: " if failure.file and failure.line else ""
    place = place or (f"{failure.file}: " if failure.file else "")
    return f"{place}{failure.message}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _commit(message: git_pb2.CommitObserved) -> str:
    return f"{_short(message.commit)} {_first_line(message.message)}"


def _ref_moved(message: git_pb2.RefMoved) -> str:
    if message.deleted:
        return f"{_ref(message.ref)} was deleted (was {_short(message.old)})"
    if not message.old:
        return f"{_ref(message.ref)} starts at {_short(message.new)}"
    force = "force-pushed" if message.forced else "moved"
    commits = f", {_plural(message.new_commits, 'new commit')}" if message.new_commits else ""
    return f"{_ref(message.ref)} {force} from {_short(message.old)} to {_short(message.new)}{commits}"


def _source_failed(message: git_pb2.SourceFailed) -> str:
    if message.recovered:
        return f"Source {message.source} can be followed again"
    if message.failure.refs:
        return f"Source {message.source} lacks {', '.join(map(_ref, message.failure.refs))}"
    return f"Source {message.source} cannot be followed: {_why(message.failure)}"


def _declared(kind: str) -> Callable[[Any], str]:
    def tell(message: Any) -> str:
        verb = "changed" if message.HasField("before") else "declared"
        reason = f": {message.reason}" if message.reason else ""
        return f"{kind} {message.name} {verb}{_place(message.origin)}{reason}"

    return tell


def _removed(kind: str) -> Callable[[Any], str]:
    def tell(message: Any) -> str:
        fate = ""
        if kind == "Application":
            pruned = message.on_delete == fleet_pb2.ON_DELETE_PRUNE
            fate = ", its objects are deleted" if pruned else ", its objects stay"
        reason = f": {message.reason}" if message.reason else ""
        return f"{kind} {message.name} removed{_place(message.origin)}{fate}{reason}"

    return tell


def _place(origin: fleet_pb2.Origin) -> str:
    way = origin.WhichOneof("way")
    if way is None:  # a service's own setting, such as the fleet repository that ingest was told to follow
        return ""
    if way == "api":
        return " through the API"
    git = origin.git
    return f" in {git.file} ({git.revision.source}@{_short(git.revision.commit)})"


def _refused(message: fleet_pb2.DeclarationRefused) -> str:
    subject = " ".join(filter(None, [message.kind, message.name])) or "A document"
    if message.withdrawn:
        return f"{subject} is no longer refused, which it was: {_why(message.failure)}"
    return f"{subject} does not count: {_why(message.failure)}"


def _identity(message: fleet_pb2.ClusterIdentityChanged) -> str:
    if not message.before:
        return f"Cluster {message.cluster} seen for the first time ({message.after})"
    what = f"Cluster {message.cluster} points at another cluster: {message.after} instead of {message.before}"
    return f"{what}; nothing is written to it until it is confirmed"


def _confirmed(message: fleet_pb2.ClusterIdentityConfirmed) -> str:
    reason = f": {message.reason}" if message.reason else ""
    return f"Cluster {message.cluster} confirmed as {message.uid}{reason}"


def _available(message: control_pb2.RevisionAvailable) -> str:
    return f"Revision {_short(message.revision.commit)} of {_ref(message.revision.ref)} is available"


def _attempt(message: control_pb2.SyncRequested | apply_pb2.SyncStarted | apply_pb2.SyncFinished) -> str:
    return "Dry-run" if message.dry_run else "Sync"


def _requested(message: control_pb2.SyncRequested) -> str:
    commit = f" to {_short(message.commit)}" if message.commit else ""
    reason = f": {message.reason}" if message.reason else ""
    return f"{_attempt(message)}{commit} requested{reason}"


def _to_erase(message: control_pb2.ErasureRequested) -> str:
    leaves = sum(one.end - one.first for one in message.leaves)
    return f"Erasure of {_plural(leaves, 'payload')} requested: {message.reason}"


def _rotated(message: control_pb2.KeyRotationRequested) -> str:
    beside = f" beside {rotation.label(message.beside)}" if message.beside else ""
    alone = f" alone, {rotation.label(message.retired)} is retired" if message.retired else ""
    return f"From the next leaf on {rotation.label(message.vkey)} signs the log{beside}{alone}: {message.reason}"


def _held(message: control_pb2.LegalHoldPlaced) -> str:
    return f"Legal hold {message.hold} placed, nothing is erased: {message.reason}"


def _no_longer_held(message: control_pb2.LegalHoldReleased) -> str:
    return f"Legal hold {message.hold} released: {message.reason}"


def _wanted_too(message: control_pb2.ObjectClaimed) -> str:
    verb = "no longer wants" if message.withdrawn else "wants"
    return f"{message.claimed_by} {verb} {_object(message.object)}"


def _owned(message: Any) -> str:
    return f"Partition {message.partition} taken over by member {message.member}"


def _rendered(message: apply_pb2.Rendered) -> str:
    warned = f", {_plural(len(message.warnings), 'warning')}" if message.warnings else ""
    part = f" (part {message.part + 1} of {message.parts})" if message.parts > 1 else ""
    return f"{_short(message.revision.commit)} rendered to {_plural(len(message.objects), 'object')}{warned}{part}"


def _render_failed(message: apply_pb2.RenderFailed) -> str:
    return f"{_short(message.revision.commit)} cannot be rendered: {_why(message.failure)}"


def _state_lost(message: apply_pb2.StateLost) -> str:
    return "Its state is known again" if message.recovered else f"State lost: {_why(message.failure)}"


def _claimed(message: apply_pb2.ClaimConflicted) -> str:
    name, other = _object(message.object), message.claimed_by
    if message.settled:
        return f"{name} is claimed by {other} no longer" if message.holds else f"{name} is no longer claimed twice"
    if message.holds:
        return f"{name}, managed here, is declared by {other} as well"
    return f"{name} is managed by {other} and not written here"


def _started(message: apply_pb2.SyncStarted) -> str:
    what = f"{message.to_apply} to apply, {message.to_prune} to prune"
    again = f", attempt {message.attempt}" if message.attempt > 1 else ""
    trigger = wording.word(message, "trigger")
    return f"{_attempt(message)} to {_short(message.revision.commit)} started ({trigger}): {what}{again}"


def _applied(message: apply_pb2.ObjectApplied) -> str:
    outcome = wording.word(message, "outcome") or "touched"
    why = f": {_why(message.failure)}" if message.HasField("failure") else ""
    taken = f", taken over from {message.taken_over_from}" if message.taken_over_from else ""
    over = f", overriding {', '.join(one.manager for one in message.overridden)}" if message.overridden else ""
    dry = " (dry-run)" if message.dry_run else ""
    return f"{_object(message.object)} {outcome}{dry}{taken}{over}{why}"


def _finished(message: apply_pb2.SyncFinished) -> str:
    words = ("created", "configured", "pruned", "unchanged", "skipped", "failed")
    counts = ", ".join(f"{getattr(message, word)} {word}" for word in words if getattr(message, word))
    outcome = wording.word(message, "outcome") or "ended"
    seconds = f" in {message.duration_us / 1e6:.1f} s" if message.duration_us else ""
    why = f": {_why(message.failure)}" if message.HasField("failure") else ""
    said = f"{_attempt(message)} to {_short(message.revision.commit)} {outcome}{seconds}"
    return f"{said} ({counts or 'nothing to do'}){why}"


def _health(message: apply_pb2.HealthChanged) -> str:
    subject = _object(message.object) if message.HasField("object") else "Application"
    why = f": {message.message}" if message.message else ""
    word = wording.word(message, "after") or "unknown"
    return f"{subject} is {word}{why}" if word != "unknown" else f"The health of {subject} is unknown{why}"


def _assessed(message: apply_pb2.HealthAssessed) -> str:
    named = ", ".join(_object(one) for one in message.objects[:3])
    more = f" and {len(message.objects) - 3} more" if len(message.objects) > 3 else ""
    verb = "is" if len(message.objects) == 1 else "are"
    return f"{named}{more} {verb} {wording.word(message, 'health')}"


def _drift(message: drift_pb2.DriftObserved) -> str:
    name, verdict = _object(message.object), wording.word(message, "verdict").replace("_", " ")
    if message.phase == drift_pb2.DRIFT_PHASE_RESOLVED:
        if not message.desired_digest:  # told of what nobody compares any more (reconcile's drift.gone)
            return f"the difference of {name} is over: it is not wanted any more, or not there"
        return f"{name} is as in Git again"
    if message.HasField("failure"):
        return f"{name} is {verdict}: {_why(message.failure)}"
    if message.verdict != drift_pb2.VERDICT_MODIFIED:
        return f"{name} is {verdict}"
    return f"{name} differs{_fields(message)}"


def _compared(message: drift_pb2.Compared) -> str:
    if message.off:
        return "Not compared any more: the mode is off"
    words = ("in_sync", "modified", "missing", "extra", "unknown")
    counts = [f"{getattr(message, word)} {word.replace('_', ' ')}" for word in words if getattr(message, word)]
    return f"Compared with {_short(message.revision.commit)}: {', '.join(counts) or 'no objects'}"


def _fields(message: drift_pb2.DriftObserved) -> str:
    try:
        patch = wording.json_value(message.patch) or []
    except wording.NotJson:
        return ""
    paths = [step.get("path", "") for step in patch[:3]]
    more = f" and {len(patch) - 3} more" if len(patch) > 3 else ""
    return f" in {', '.join(paths)}{more}"


def _changed(message: live_pb2.ObjectChanged) -> str:
    return f"{_object(message.object)} is now at version {message.resource_version}"


def _deleted(message: live_pb2.ObjectDeleted) -> str:
    return f"{_object(message.object)} is gone{' (noticed later)' if message.inferred else ''}"


def _gap(message: live_pb2.WatchGap) -> str:
    where = f" in {message.namespace}" if message.namespace else ""
    return f"Versions of {message.kind}{where} may have been missed: {message.reason}"


def _denied(message: access_pb2.AccessDenied) -> str:
    times = f" ({message.count} times)" if message.count > 1 else ""
    return f"{message.method} {message.route} refused by {message.service}: {message.reason}{times}".strip()


def _login(message: access_pb2.LoginFailed) -> str:
    times = f" ({message.count} times)" if message.count > 1 else ""
    return f"Login failed: {message.reason}{times}"


def _exported(message: access_pb2.TrailExported) -> str:
    many = "1 leaf" if message.leaves == 1 else f"{message.leaves} leaves"
    reason = f": {message.reason}" if message.reason else ""
    return f"{message.form.capitalize()} of {many} exported, {message.selection}{reason}"


_TELLERS: Mapping[type[Message], Callable[[Any], str]] = {
    git_pb2.CommitObserved: _commit,
    git_pb2.RefMoved: _ref_moved,
    git_pb2.SourceFailed: _source_failed,
    fleet_pb2.InstallationCreated: lambda message: f"Installation {message.installation} created",
    fleet_pb2.SourceDeclared: _declared("Source"),
    fleet_pb2.ClusterDeclared: _declared("Cluster"),
    fleet_pb2.ApplicationDeclared: _declared("Application"),
    fleet_pb2.SourceRemoved: _removed("Source"),
    fleet_pb2.ClusterRemoved: _removed("Cluster"),
    fleet_pb2.ApplicationRemoved: _removed("Application"),
    fleet_pb2.DeclarationRefused: _refused,
    fleet_pb2.ClusterIdentityChanged: _identity,
    fleet_pb2.ClusterIdentityConfirmed: _confirmed,
    control_pb2.RevisionAvailable: _available,
    control_pb2.SyncRequested: _requested,
    control_pb2.ErasureRequested: _to_erase,
    control_pb2.KeyRotationRequested: _rotated,
    control_pb2.LegalHoldPlaced: _held,
    control_pb2.LegalHoldReleased: _no_longer_held,
    control_pb2.ObjectClaimed: _wanted_too,
    apply_pb2.OwnershipTaken: _owned,
    apply_pb2.Rendered: _rendered,
    apply_pb2.RenderFailed: _render_failed,
    apply_pb2.ClaimConflicted: _claimed,
    apply_pb2.StateLost: _state_lost,
    apply_pb2.SyncStarted: _started,
    apply_pb2.ObjectApplied: _applied,
    apply_pb2.SyncFinished: _finished,
    apply_pb2.HealthChanged: _health,
    apply_pb2.HealthAssessed: _assessed,
    drift_pb2.DriftOwnershipTaken: _owned,
    drift_pb2.DriftObserved: _drift,
    drift_pb2.Compared: _compared,
    live_pb2.ObjectChanged: _changed,
    live_pb2.ObjectDeleted: _deleted,
    live_pb2.LiveOwnershipTaken: _owned,
    live_pb2.WatchGap: _gap,
    access_pb2.AccessDenied: _denied,
    access_pb2.LoginFailed: _login,
    access_pb2.TrailExported: _exported,
}
