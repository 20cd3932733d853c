"""What the record says, asked through the command line."""

import time
from dataclasses import dataclass
from typing import Any

from decklog.model import timestamps
from deploy.local.tour import stage as stages

Json = dict[str, Any]
SYNC_KINDS = ("SyncStarted", "ObjectApplied", "SyncFinished")


@dataclass(frozen=True, slots=True)
class Since:
    """The moment before a step: as a time for `--at` and `--since`, and as the leaf that comes next."""

    time: str
    leaf: int


@dataclass(frozen=True, slots=True)
class Witness:
    """The record, as far as it is about one application."""

    stage: stages.Stage
    application: str

    def now(self) -> Since:
        """The moment, once all that happened before is recorded and projected."""
        rungs = stages.until(self._caught_up, "the record has caught up", lambda: self.stage.run("decklog", "status"))
        return Since(time=timestamps.format_us(time.time_ns() // 1000), leaf=rungs["sequenced"]["size"])

    def _caught_up(self) -> dict[str, Json] | None:
        rungs = {rung["name"]: rung for rung in self.stage.ask("status")["rungs"]}
        return rungs if not any(rung["behind"] for rung in rungs.values()) else None

    def status(self) -> Json:
        """The application now."""
        found: Json = self.stage.ask("app", "get", self.application)
        return found

    def shown(self) -> str:
        """The application now, for people."""
        return self.stage.run("decklog", "app", "get", self.application)

    def told(self, since: Since) -> str:
        """What the record says since then, for people."""
        return self.stage.run("decklog", "timeline", "--since", since.time)

    def in_sync(self, commit: str = "") -> Json | None:
        """The application, if it is as Git says and healthy (at that commit)."""
        found = self.status()
        arrived = not commit or found["synced_commit"] == commit
        fine = found["sync_status"] == "in_sync" and found["health"] == "healthy" and not found["failures"]
        return found if arrived and fine else None

    def events(self, kind: str, since: Since) -> list[Json]:
        """The application's events of a kind since then, in the ledger's order, with all they say."""
        moments = self.stage.ask("timeline", "--app", self.application, "--kind", kind, "--since", since.time)
        leaves = [moment["leaf"] for moment in moments if moment["leaf"] >= since.leaf]
        return [self.stage.ask("show", str(leaf)) for leaf in leaves]

    def sync(self, sync_id: str, since: Since) -> list[Json]:
        """All that one sync said, in the ledger's order."""
        said = [one for kind in SYNC_KINDS for one in self.events(kind, since) if one["data"]["sync_id"] == sync_id]
        return sorted(said, key=lambda one: int(one["leaf"]))

    def writes(self, since: Since) -> list[tuple[str, str]]:
        """(outcome, kind/name) of every object that a sync wrote since then."""
        said = [event["data"] for event in self.events("ObjectApplied", since)]
        return [
            (one["outcome"], f"{one['object']['kind']}/{one['object']['name']}")
            for one in said
            if not one.get("dry_run") and one["outcome"] in ("created", "configured", "pruned")
        ]

    def episodes(self, since: Since) -> list[Json]:
        """Episodes of drift that opened since then."""
        found = self.stage.ask("drift", "list", "--app", self.application, "--all")
        return [one for one in found if one["opened_leaf"] >= since.leaf]

    def changes(self, before: str, after: str = "now") -> list[tuple[str, str, Any, Any]]:
        """(object, field, before, after) for all that differs between two moments; a whole object is field ''."""
        found = self.stage.ask("state", "--app", self.application, "--at", before, "--diff", after)
        return [
            (one["object"], field["path"], field["before"], field["after"])
            for one in found
            for field in one["fields"] or [{"path": "", "before": None, "after": one["change"]}]
        ]
