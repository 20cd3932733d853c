"""The story, step by step: what is done, what the cluster and the record say then, and what must hold."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from decklog.model import timestamps
from deploy.local.tour import stage as stages
from deploy.local.tour import witness as witnesses
from deploy.local.tour import workshop as workshops

APPLICATION = "shop"
NAMESPACE = "decklog-demo-shop"
CONFIG = f"/ConfigMap/{NAMESPACE}/shop"
DEPLOYMENT = f"apps/Deployment/{NAMESPACE}/shop"
EXTRA = f"/ConfigMap/{NAMESPACE}/tour"

REPLICAS_OF_GIT, REPLICAS_BY_HAND = 2, 5

EXTRA_MANIFEST = f"""\
apiVersion: v1
kind: ConfigMap
metadata:
  name: tour
  namespace: {NAMESPACE}
data:
  stays: not for long
"""
REFUSED_MANIFEST = f"""\
# The API server refuses this: no port is that high.
apiVersion: v1
kind: Service
metadata:
  name: refused
  namespace: {NAMESPACE}
spec:
  ports:
    - port: 70000
"""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: the stage, the witness, and the workshop."""

    stage: stages.Stage
    witness: witnesses.Witness
    workshop: workshops.Workshop

    def told(self, since: witnesses.Since) -> None:
        """Show what the record says since then."""
        self.stage.show("decklog", "timeline", "--since", since.time)

    def arrived(self, commit: str) -> witnesses.Json:
        """The application, once it is as that commit says."""
        awaited = f"{APPLICATION} is in sync with {commit[:8]}"
        return stages.until(lambda: self.witness.in_sync(commit), awaited, self.witness.shown)

    def jsonpath(self, what: str, path: str) -> str:
        """One field of a live object."""
        return self.stage.run("kubectl", "--namespace", NAMESPACE, "get", what, "--output", f"jsonpath={{{path}}}")


Step = Callable[[Cast], None]


def begin(cast: Cast) -> None:
    """Everything is as Git says before anything is done."""
    stages.until(cast.witness.in_sync, f"{APPLICATION} is in sync and healthy", cast.witness.shown)
    cast.stage.show("decklog", "app", "list")
    cast.stage.show("decklog", "status")


def commit_reaches_the_cluster(cast: Cast) -> None:
    """A commit reaches the cluster."""
    before = cast.witness.now()
    greeting = f"Welcome aboard, it is {timestamps.format_us(time.time_ns() // 1000)[11:19]}"
    former = cast.workshop.set_value("apps/configuration.yaml", "greeting", greeting)
    pushed = time.time_ns() // 1000
    commit = cast.workshop.publish("Greet whoever comes aboard with the time")
    cast.arrived(commit)
    stages.hold(cast.jsonpath("configmap/shop", ".data.greeting"), greeting, "the cluster has what was committed")
    _wait_for_changes(cast, before, 1)
    cast.told(before)
    changes = cast.witness.changes(before.time)
    stages.hold(changes, [(CONFIG, "/data/greeting", former, greeting)], "before and after differ in that field alone")
    finished = cast.witness.events("SyncFinished", before)[-1]
    kinds = [one["type"].rpartition(".")[2] for one in cast.witness.sync(finished["data"]["sync_id"], before)]
    stages.hold((kinds[0], kinds[-1]), ("SyncStarted", "SyncFinished"), "its start was recorded before its first write")
    stages.hold(finished["data"]["revision"]["commit"], commit, "the record names the commit")
    took = (finished["recorded_us"] - pushed) / timestamps.MICROSECONDS
    stages.say(f"from the push to the ledger: {took:.2f} s")


def drift_is_healed(cast: Cast) -> None:
    """A change by hand is a drift: seen with its patch, its author and its time, recorded, then healed."""
    before = cast.witness.now()
    scale = ("kubectl", "--namespace", NAMESPACE, "scale", "deployment/shop", f"--replicas={REPLICAS_BY_HAND}")
    scaled = time.time_ns() // 1000
    cast.stage.show(*scale)
    told = functools.partial(cast.witness.told, before)
    episode = stages.until(lambda: _healed(cast, before), "the drift is recorded and healed", told)
    cast.told(before)
    cast.stage.show("decklog", "drift", "show", episode["episode"])
    stages.hold(episode["object"], DEPLOYMENT, "the record names the object")
    patch = [{"op": "replace", "path": "/spec/replicas", "value": REPLICAS_OF_GIT}]
    stages.hold(episode["patch"], patch, "the patch back to Git is that one field")
    blamed = [one for one in episode["managers"] if "/spec/replicas" in one["fields"]]
    stages.hold([one["manager"] for one in blamed], ["kubectl"], "the record names who set it")
    # The API server records whole seconds, and none at all for the scale subresource: then it is when it was seen.
    slack = timestamps.MICROSECONDS
    stages.hold(scaled - slack <= blamed[0]["time_us"] <= episode["opened_us"] + slack, True, "and when")
    stages.hold(cast.jsonpath("deployment/shop", ".spec.replicas"), str(REPLICAS_OF_GIT), "the cluster is as in Git")
    opened = cast.stage.ask("show", str(episode["opened_leaf"]))
    healing = cast.witness.events("SyncStarted", before)[0]
    stages.hold(healing["data"]["trigger"], "drift", "a sync began because of drift")
    stages.hold(healing["data"]["cause"], opened["id"], "and names this very one")
    stages.hold(opened["time_us"] < healing["time_us"], True, "after it was recorded, not before")
    at = timestamps.format_us(episode["opened_us"])
    by_hand = [(DEPLOYMENT, "/spec/replicas", REPLICAS_OF_GIT, REPLICAS_BY_HAND)]
    stages.hold(cast.witness.changes(before.time, at), by_hand, "the state at that moment differs in that field alone")
    stages.until(lambda: True if not cast.witness.changes(before.time) else None, "the state is as before", told)
    stages.hold(cast.witness.changes(before.time), [], "and now in none")
    healed = (episode["resolved_us"] - scaled) / timestamps.MICROSECONDS
    seen = (opened["recorded_us"] - scaled) / timestamps.MICROSECONDS
    stages.say(f"from the change to the ledger: {seen:.2f} s; healed after {healed:.2f} s")


def broken_commit_writes_nothing(cast: Cast) -> None:
    """A commit with one object that the API server refuses fails before its first write."""
    before = cast.witness.now()
    held = cast.jsonpath("configmap/shop", ".metadata.resourceVersion")
    cast.workshop.write("apps/refused.yaml", REFUSED_MANIFEST)
    cast.workshop.set_value("apps/configuration.yaml", "greeting", "This greeting must not arrive")
    commit = cast.workshop.publish("Change the greeting, and break something else")
    told = functools.partial(cast.witness.told, before)
    failed = stages.until(lambda: _failed(cast, before, commit), "the sync failed", told)
    cast.told(before)
    cast.stage.show("decklog", "app", "list")
    stages.hold(failed["data"]["revision"]["commit"], commit, "the record says which commit failed")
    failure = failed["data"]["failure"]
    stages.hold(bool(failure["message"] and failure["hint"]), True, f"and why: {failure['message']}")
    stages.hold(cast.witness.writes(before), [], "nothing was written")
    stages.hold(cast.jsonpath("configmap/shop", ".metadata.resourceVersion"), held, "the good half of it stayed out")
    cast.arrived(cast.workshop.revert("Take the broken commit back"))
    stages.hold(cast.witness.changes(before.time), [], "before and after differ in nothing")


def deleted_manifest_is_pruned(cast: Cast) -> None:
    """A manifest that is deleted in Git is deleted in the cluster."""
    before = cast.witness.now()
    cast.workshop.write("apps/tour.yaml", EXTRA_MANIFEST)
    cast.arrived(cast.workshop.publish("Add a ConfigMap for the tour"))
    _wait_for_changes(cast, before, 1)
    stages.hold(cast.witness.changes(before.time), [(EXTRA, "", None, "added")], "it was added, and nothing else")
    between = cast.witness.now()
    cast.workshop.remove("apps/tour.yaml")
    cast.arrived(cast.workshop.publish("Remove it again"))
    _wait_for_changes(cast, between, 1)
    cast.told(before)
    stages.hold(cast.witness.writes(between), [("pruned", "ConfigMap/tour")], "one object was pruned")
    names = cast.stage.run("kubectl", "--namespace", NAMESPACE, "get", "configmaps", "--output", "name").split()
    stages.hold("configmap/tour" in names, False, "the cluster does not have it any more")
    stages.hold(
        cast.witness.changes(between.time), [(EXTRA, "", None, "removed")], "the record still does: it was there"
    )
    cast.stage.show("decklog", "state", "--app", APPLICATION, "--at", between.time)
    stages.hold(cast.witness.changes(before.time), [], "before it came and after it went differ in nothing")


def ledger_is_unaltered(cast: Cast) -> None:
    """The ledger is whole: tree, receipts and commitments are recomputed from the database."""
    cast.stage.show("decklog", "admin", "audit-db")


def projections_equal_a_rebuild(cast: Cast) -> None:
    """Everything shown above follows from the ledger: projections rebuilt from leaf 0 equal the live ones."""
    cast.stage.show("decklog", "admin", "rebuild", "--check")


STORY: Sequence[Step] = (
    begin,
    commit_reaches_the_cluster,
    drift_is_healed,
    broken_commit_writes_nothing,
    deleted_manifest_is_pruned,
    ledger_is_unaltered,
    projections_equal_a_rebuild,
)


def _healed(cast: Cast, since: witnesses.Since) -> witnesses.Json | None:
    return next((one for one in cast.witness.episodes(since) if one["resolved_us"]), None)


def _failed(cast: Cast, since: witnesses.Since, commit: str) -> witnesses.Json | None:
    finished = cast.witness.events("SyncFinished", since)
    of_it = [one for one in finished if one["data"]["revision"]["commit"] == commit]
    return next((one for one in of_it if one["data"]["outcome"] == "failed"), None)


def _wait_for_changes(cast: Cast, before: witnesses.Since, count: int) -> None:
    """The watch tells what was applied a moment after it was; what exactly differs is held afterwards."""
    stages.until(
        lambda: True if len(cast.witness.changes(before.time)) >= count else None,
        "the record shows the change",
        functools.partial(cast.witness.told, before),
    )
