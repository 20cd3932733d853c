"""Answers of the API as values: what the tables of the command line are drawn from."""

from zoneinfo import ZoneInfo

from decklog.cli import moments
from decklog.client import answers, ledger_answers
from decklog.model import timestamps


def us(time: str, day: str = "2026-11-23") -> int:
    """The instant of a time of that day, UTC."""
    return timestamps.parse_us(f"{day}T{time}Z")


NOW = moments.Now(us=us("12:00:00"), zone=ZoneInfo("Europe/Berlin"))
COMMIT = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
NEXT = "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c"
GIT: answers.Origin = {"way": "git", "source": "fleet", "commit": COMMIT, "file": "apps/shop.yaml", "line": 12}
FAILURE: answers.Failure = {
    "reason": "InvalidYaml",
    "message": "mapping values are not allowed here",
    "hint": "Indent the line like its neighbours, or quote the value that holds a colon",
    "file": "apps/shop/deployment.yaml",
    "line": 17,
}

SHOP: answers.Application = {
    "name": "shop",
    "cluster": "dev",
    "spec": {"source": "infrastructure", "ref": "refs/heads/main", "path": "apps", "destCluster": "dev",
             "destNamespace": "decklog-demo-shop", "mode": "heal", "prune": True, "owner": "team-shop"},
    "origin": GIT,
    "actor": "commit:5f3a",
    "available_commit": COMMIT,
    "rendered_commit": COMMIT,
    "synced_commit": COMMIT,
    "sync_status": "in_sync",
    "synced_us": us("11:55:00"),
    "sync_id": "0193-sync",
    "sync_outcome": "succeeded",
    "sync_us": us("11:55:00"),
    "health": "healthy",
    "health_reason": "",
    "health_message": "",
    "health_us": us("11:55:02"),
    "objects": 5,
    "modified": 0,
    "missing": 0,
    "extra": 0,
    "unknown": 0,
    "failures": {},
    "source_failure": None,
    "cluster_failure": None,
}  # fmt: skip
BLOG: answers.Application = {
    **SHOP,
    "name": "blog-of-the-platform-team",
    "spec": {**SHOP["spec"], "mode": "detect", "prune": False, "path": "overlays/dev"},
    "origin": {"way": "api"},
    "available_commit": NEXT,
    "sync_status": "drifted",
    "sync_outcome": "failed",
    "health": "degraded",
    "health_message": "Deployment blog: 0 of 2 replicas are available: ImagePullBackOff",
    "modified": 2,
    "missing": 1,
    "failures": {"render": FAILURE},
}
NEW: answers.Application = {
    **SHOP,
    "name": "new",
    "available_commit": "",
    "rendered_commit": "",
    "synced_commit": "",
    "sync_status": "unknown",
    "synced_us": None,
    "sync_us": None,
    "sync_outcome": "",
    "health": "unknown",
    "objects": 0,
}

REFUSAL: answers.Refusal = {
    "kind": "Application",
    "name": "shop",
    "failure": {"reason": "DuplicateDeclaration", "message": "Application shop is declared at apps.yaml:2 already",
                "hint": "remove one of the two", "file": "more.yaml", "line": 1},
}  # fmt: skip

EMPTY: answers.Application = {**SHOP, "name": "empty", "objects": 0, "health_message": "the application has no objects"}
LEFT_OVER: answers.Application = {**SHOP, "name": "left-over", "sync_status": "drifted", "objects": 2, "extra": 2}

DIGEST = "0123456789abcdef" * 4
TYPED: answers.Failure = {
    "reason": "Rejected",
    "message": "failed to create typed patch object (default/settings; /v1, Kind=Secret): .data.password: expected "
    f"string, got &value.valueUnstructured{{Value:masked:e4e37594:{DIGEST}}}",
    "hint": "Correct the object in Git",
    "file": "apps/shop/a-folder-with-a-long-name/secret-with-a-long-name.yaml",
    "line": 1,
    "object": "/Secret/default/settings",
}
UNREACHABLE: answers.Failure = {
    "reason": "Unreachable",
    "message": "there is no repository at /srv/git/gone",
    "hint": "Correct the url, or restore the repository",
}
REFUSED: answers.Application = {**NEW, "name": "refused", "failures": {"sync": TYPED}, "source_failure": UNREACHABLE}
TWICE: answers.Application = {
    **NEW,
    "name": "twice",
    "failures": {"sync": FAILURE, "render": {**FAILURE}},
    "source_failure": {**UNREACHABLE},
}
REFUSED_OBJECTS: list[answers.ApplicationObject] = [
    {"object": "/Secret/default/settings", "verdict": "unknown", "health": "missing", "health_reason": "",
     "health_message": "it does not exist", "file": "apps/secret.yaml", "line": 1, "episode": "", "outcome": "failed",
     "failure": TYPED},
    {"object": "/Service/default/web", "verdict": "unknown", "health": "missing", "health_reason": "",
     "health_message": "it does not exist", "file": "apps/service.yaml", "line": 1, "episode": "", "outcome": "",
     "failure": {"reason": "Rejected", "message": "spec.ports[0].port: Invalid value: 70000: must be between 1 and "
                 "65535, inclusive", "hint": "Correct the object in Git", "file": "apps/service.yaml", "line": 1}},
]  # fmt: skip

OBJECTS: list[answers.ApplicationObject] = [
    {"object": "/Namespace//decklog-demo-shop", "verdict": "in_sync", "health": "healthy", "health_reason": "",
     "health_message": "", "file": "apps/namespace.yaml", "line": 1, "episode": "", "outcome": "", "failure": None},
    {"object": "apps/Deployment/decklog-demo-shop/web", "verdict": "modified", "health": "progressing",
     "health_reason": "", "health_message": "1 of 3 replicas are available", "file": "apps/deployment.yaml", "line": 1,
     "episode": "ab12", "outcome": "", "failure": None},
    {"object": "/Secret/decklog-demo-shop/database", "verdict": "unknown", "health": "", "health_reason": "",
     "health_message": "", "file": "", "line": 0, "episode": "", "outcome": "failed",
     "failure": {"reason": "Forbidden", "message": "secrets is forbidden", "hint": "Grant reconcile the right"}},
]  # fmt: skip

EPISODE: answers.Episode = {
    "episode": "ab12cd34ef56ab12cd34ef56ab12cd34",
    "cluster": "dev",
    "application": "shop",
    "object": "apps/Deployment/decklog-demo-shop/web",
    "verdict": "modified",
    "phase": "opened",
    "opened_leaf": 1234,
    "opened_us": us("11:58:00.250"),
    "last_us": us("11:58:00.250"),
    "resolved_us": None,
    "observations": 1,
    "source": "infrastructure",
    "commit": COMMIT,
    "patch": [
        {"op": "replace", "path": "/spec/replicas", "value": 3},
        {"op": "add", "path": "/metadata/labels/team", "value": "shop"},
        {"op": "remove", "path": "/spec/template/spec/containers/0/env/1"},
    ],
    "managers": [
        {"manager": "kubectl-scale", "operation": "Update", "subresource": "scale", "time_us": us("11:58:00"),
         "fields": ["/spec/replicas"]},
    ],
    "failure": None,
}  # fmt: skip
HEALED: answers.Episode = {
    **EPISODE,
    "episode": "77cd34ef56ab12cd34ef56ab12cd34ab",
    "phase": "resolved",
    "opened_us": us("09:00:00"),
    "resolved_us": us("09:00:00.840"),
}

MOMENTS: list[answers.Moment] = [
    {"leaf": 1198, "recorded_us": us("11:54:58"), "time_us": us("11:54:57"), "kind": "CommitObserved", "level": "info",
     "cluster": "", "application": "", "object": "", "source": "infrastructure", "actor": "Ada Lovelace",
     "summary": "1a2b3c4d Serve three replicas", "event_id": "01a2f3c4-d5e6-8f12-9abc-0123456789ab"},
    {"leaf": 1234, "recorded_us": us("11:58:00.4"), "time_us": us("11:58:00.25"), "kind": "DriftObserved",
     "level": "warning", "cluster": "dev", "application": "shop", "object": "apps/Deployment/decklog-demo-shop/web",
     "source": "infrastructure", "actor": "kubectl-scale",
     "summary": "Deployment.apps decklog-demo-shop/web differs in /spec/replicas",
     "event_id": "01a2f3c4-e5e6-8f12-9abc-0123456789ab"},
    {"leaf": 1240, "recorded_us": us("11:59:00"), "time_us": us("23:59:00", "2026-11-21"), "kind": "Gap",
     "level": "error", "cluster": "", "application": "", "object": "", "source": "", "actor": "",
     "summary": "Records from 12 on will never be read: retention took them", "event_id": None},
]  # fmt: skip

VERSIONS: list[answers.Version] = [
    {"object": "apps/Deployment/decklog-demo-shop/web", "cluster": "dev", "application": "shop",
     "valid_from": us("11:55:01"), "resource_version": 8123, "leaf": 1201, "digest": "j1:00",
     "body": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 3}}},
    {"object": "/Secret/decklog-demo-shop/database", "cluster": "dev", "application": "shop",
     "valid_from": us("10:00:00", "2026-11-20"), "resource_version": 512, "leaf": 44, "digest": "j1:01",
     "body": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"},
              "data": {"password": "masked:1a2b3c4d:" + "ab" * 32}}},
]  # fmt: skip

LATER: list[answers.Version] = [
    {**VERSIONS[0], "digest": "j1:02",
     "body": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 5}}},
    {**VERSIONS[1], "digest": "j1:03",
     "body": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database", "labels": {"team": "shop"}},
              "data": {"password": "masked:99999999:" + "ab" * 32}}},
    {**VERSIONS[0], "object": "apps/Deployment/decklog-demo-shop/worker", "digest": "j1:04"},
]  # fmt: skip

CLUSTERS: list[answers.Cluster] = [
    {"name": "dev", "spec": {"context": "dev"}, "origin": GIT, "confirmed_uid": "8f3c", "seen_uid": "8f3c"},
    {"name": "production", "spec": {}, "origin": GIT, "confirmed_uid": "8f3c1d52-6c1f-4b0e-9a57-1f2e3d4c5b6a",
     "seen_uid": "77aa0b1c-2d3e-4f50-8a6b-7c8d9e0f1a2b"},
    {"name": "staging", "spec": {"context": "arn:aws:eks:eu-central-1:123456789012:cluster/staging"},
     "origin": {"way": "api"}, "confirmed_uid": "", "seen_uid": ""},
]  # fmt: skip
API: answers.Origin = {"way": "api", "request_id": "5f3a9c"}
SOURCES: list[answers.Source] = [
    {"name": "infrastructure", "spec": {"url": "https://git.example.org/platform/infrastructure.git",
     "refs": ["refs/heads/main", "refs/tags/v1"]}, "origin": GIT, "moved_us": us("11:54:58"), "failure": None,
     "failed_us": None, "attempts": 0},
    {"name": "gone", "spec": {"url": "/srv/git/gone", "refs": ["HEAD"]}, "origin": API, "moved_us": None,
     "failure": {"reason": "Unreachable", "message": "there is no repository at /srv/git/gone",
                 "hint": "Correct the url, or restore the repository"}, "failed_us": us("11:00:00"), "attempts": 7},
]  # fmt: skip
EVENT: answers.Event = {
    "id": "01a2f3c4-e5e6-8f12-9abc-0123456789ab",
    "type": "dev.decklog.v1.DriftObserved",
    "kind": "event",
    "leaf": 1234,
    "leaf_hash": "1e" * 32,
    "time_us": us("11:58:00.25"),
    "recorded_us": us("11:58:00.4"),
    "source": "/decklog/8d0f/reconcile/dev",
    "subject": "dev/shop/apps/Deployment/shop/web",
    "key": "dev/shop",
    "payload": {"length": 612, "sha256": "5a" * 32, "erased": False},
    "receipt": {"kind": "event", "recorded_at": us("11:58:00.4"), "commitment": "c0" * 32,
                "ce": {"source": "/decklog/8d0f/reconcile/dev", "subject": "dev/shop/apps/Deployment/shop/web"},
                "kafka": {"cluster": "x", "topic": "decklog.drift.v1", "epoch": 0, "partition": 4, "offset": 77}},
    "data": {"verdict": "modified", "patch": [{"op": "replace", "path": "/spec/replicas", "value": 3}]},
    "cause": None,
}  # fmt: skip
SYNC_EVENT: answers.Event = {
    **EVENT,
    "type": "dev.decklog.v1.SyncStarted",
    "subject": "dev/shop",
    "data": {"trigger": "drift", "cause": "01a2f3c4-d5e6-8f12-9abc-000000000001"},
    "cause": MOMENTS[1],
}
STATUS: ledger_answers.Status = {
    "rungs": [{"name": "sequenced", "size": 1241, "behind": 0}, {"name": "projected", "size": 1239, "behind": 2}],
    "topics": [{"topic": "decklog.live.v1", "behind": 12}, {"topic": "decklog.git.v1", "behind": 0}],
    "services": [
        {"name": "ingest", "events": 40, "last_leaf": 1198, "last_us": us("11:59:58")},
        {"name": "reconcile", "events": 1190, "last_leaf": 1240, "last_us": us("09:00:00")},
    ],
    "notices": [],
    "unplaced": 1,
    "waiting": {"fleet": "ingest has not created the installation yet"},
}
ACCEPTED: answers.Accepted = {
    "event_id": "01a2f3c4-d5e6-8f12-9abc-0123456789ab",
    "coordinates": {"topic": "decklog.control.v1", "partition": 4, "offset": 12},
}

HEALING: answers.Sync = {
    "sync_id": "0193-sync",
    "trigger": "drift",
    "actor": "reconcile",
    "reason": "drift is healed",
    "outcome": "failed",
    "cause": "01a2f3c4-d5e6-8f12-9abc-000000000001",
    "cause_leaf": 1234,
    "cause_kind": "DriftObserved",
    "cause_summary": "Deployment.apps decklog-demo-shop/web differs in /spec/replicas, /metadata/labels/team",
}
DETAIL: answers.ApplicationDetail = {**BLOG, "object_list": OBJECTS, "syncs": [HEALING], "refusal": None}
REFUSED_DETAIL: answers.ApplicationDetail = {**REFUSED, "object_list": REFUSED_OBJECTS, "syncs": [], "refusal": None}
UNTOLD: answers.Episode = {
    **EPISODE,
    "object": "/Secret/default/settings",
    "verdict": "unknown",
    "patch": [{"op": "replace", "path": "/data/password", "value": f"masked:e4e37594:{DIGEST}"}],
    "managers": [],
    "failure": TYPED,
}
TROUBLED: ledger_answers.Status = {
    **STATUS,
    "notices": [{"kind": "gap", "count": 2, "last_leaf": 1240, "last_us": us("11:59:00")}],
    "waiting": {"kafka": "the broker cannot be reached at 127.0.0.1:9092: connection refused, for 12 minutes by now"},
}
EMPTY_DETAIL: answers.ApplicationDetail = {**EMPTY, "object_list": [], "syncs": [], "refusal": None}
SHOP_DETAIL: answers.ApplicationDetail = {**SHOP, "object_list": [], "syncs": [], "refusal": REFUSAL}
