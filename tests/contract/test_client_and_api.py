"""The client and the API mean the same: every field, path, parameter and word that one relies on, the other has."""

from enum import Enum, EnumMeta
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel

from decklog.cli import choices
from decklog.cli.commands import timeline as timeline_command
from decklog.client import answers, api, ledger_answers
from decklog.events.v1 import fleet_pb2
from services.audit.api import erasures, models
from services.audit.core import outcome
from services.audit.core.projections import timeline as timeline_fold

PAIRS: dict[type[Any], type[BaseModel]] = {
    answers.Application: models.Application,
    answers.ApplicationDetail: models.ApplicationDetail,
    answers.ApplicationObject: models.ApplicationObject,
    answers.Cluster: models.Cluster,
    answers.Source: models.Source,
    answers.Moment: models.Moment,
    answers.Timeline: models.Moments,
    answers.Episode: models.Episode,
    answers.EpisodeDetail: models.EpisodeDetail,
    answers.Version: models.Version,
    answers.State: models.State,
    answers.Unwatched: models.Unwatched,
    answers.Event: models.Event,
    answers.Payload: models.Payload,
    ledger_answers.Rung: models.Rung,
    ledger_answers.TopicLag: models.TopicLag,
    ledger_answers.Service: models.Service,
    ledger_answers.Status: models.Status,
    ledger_answers.Log: models.Log,
    ledger_answers.Erasable: erasures.Erasable,
    ledger_answers.ErasurePreview: erasures.Preview,
    ledger_answers.ErasureAccepted: erasures.ErasureAccepted,
    ledger_answers.Erasure: erasures.Erasure,
    ledger_answers.Copy: erasures.Copy,
    ledger_answers.Hold: erasures.Hold,
    answers.Outcome: models.Outcome,
    answers.SyncObject: models.SyncObject,
    answers.SyncDetail: models.SyncDetail,
    answers.Accepted: models.Accepted,
    answers.Coordinates: models.Coordinates,
}


@pytest.mark.parametrize("relied_on", PAIRS, ids=lambda one: one.__name__)
def test_every_field_that_the_client_relies_on_is_in_the_answer(relied_on: type[Any]) -> None:
    assert set(get_type_hints(relied_on)) <= set(PAIRS[relied_on].model_fields)


class Recorder:
    """Notes what is asked, and answers with what any endpoint might give."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, frozenset[str]]] = []

    def get(self, path: str, params: dict[str, Any] | None = None) -> Any:
        self.asked.append(("get", path, frozenset(params or {})))
        return {"items": [], "next": None, "time_us": 0, "before_leaf": 0}

    def post(self, path: str, _body: Any) -> Any:
        self.asked.append(("post", path, frozenset()))
        return {}

    def patch(self, path: str, _body: Any) -> Any:
        self.asked.append(("patch", path, frozenset()))
        return {}

    def delete(self, path: str, params: dict[str, Any]) -> Any:
        self.asked.append(("delete", path, frozenset(params)))
        return {}


def everything_asked() -> list[tuple[str, str, frozenset[str]]]:
    server: Any = Recorder()
    query = {"app": "a", "object": "o", "actor": "x", "kind": "k", "since": 1, "until": 2}
    api.applications(server)
    api.application(server, "NAME")
    api.create_application(server, {})
    api.change_application(server, "NAME", {}, reason="")
    api.delete_application(server, "NAME", cascade=True, reason="")
    api.sync(server, "NAME", {})
    api.confirm_cluster(server, "NAME", {})
    api.sync_detail(server, "NAME")
    api.clusters(server)
    api.sources(server)
    api.delete_source(server, "NAME", reason="")
    api.timeline(server, query, 10)
    api.drift(server, app="a", phase="open", limit=1)
    api.episode(server, "NAME")
    api.state(server, at=1, app="a", cluster="")
    api.event(server, "NAME")
    api.event(server, "12")
    api.outcome(server, "NAME", until="synced", hold=1.0)
    api.status(server)
    return list(server.asked)


def openapi() -> dict[str, Any]:
    from fastapi import FastAPI

    from services.audit.api import app

    made = FastAPI()
    for router in app.ROUTERS:
        made.include_router(router, prefix=app.PREFIX)
    return made.openapi()["paths"]  # type: ignore[no-any-return]


def test_every_request_of_the_client_is_one_that_the_api_offers() -> None:
    offered = {
        (method, "/".join("*" if part.startswith("{") else part for part in path.split("/"))): {
            one["name"] for one in operation.get("parameters", []) if one["in"] == "query"
        }
        for path, operations in openapi().items()
        for method, operation in operations.items()
    }
    for method, path, parameters in everything_asked():
        pattern = "/".join("*" if part in ("NAME", "12") else part for part in path.split("/"))
        assert (method, pattern) in offered
        assert parameters <= offered[method, pattern]


def test_the_stream_is_offered() -> None:
    assert "get" in openapi()[api.STREAM]


def words(enum: Any, prefix: str) -> set[str]:
    return {name.removeprefix(prefix).lower() for name, number in enum.items() if number}


@pytest.mark.parametrize(
    ("flag", "declared"),
    [
        (choices.Mode, words(fleet_pb2.Mode, "MODE_")),
        (choices.Renderer, words(fleet_pb2.Renderer, "RENDERER_")),
        (choices.Conflicts, words(fleet_pb2.Conflicts, "CONFLICTS_")),
        (choices.OnDelete, words(fleet_pb2.OnDelete, "ON_DELETE_")),
        (choices.Wait, {one.value for one in outcome.Until}),
        (choices.Record, {outcome.Until.RECORDED.value}),
    ],
)
def test_the_words_of_a_flag_are_those_of_a_declaration(flag: EnumMeta, declared: set[str]) -> None:
    assert {one.value for one in flag if isinstance(one, Enum)} == declared


def test_the_spec_that_create_sends_is_one_that_a_declaration_may_have() -> None:
    from decklog.cli.commands import app_create
    from decklog.model import declaration

    spec = app_create.spec_of(
        source="infra",
        path="apps",
        ref="main",
        renderer=choices.Renderer.PLAIN,
        dest_cluster="dev",
        dest_namespace="shop",
        mode=choices.Mode.HEAL,
        prune=True,
        conflicts=choices.Conflicts.FAIL,
        on_delete=choices.OnDelete.PRUNE,
        health_timeout="5m",
        owner="me",
    )
    found = declaration.parse(
        {"apiVersion": declaration.API_VERSION, "kind": "Application", "metadata": {"name": "a"}, "spec": spec}
    )
    assert declaration.to_document(found)["spec"] == {**spec, "ref": "refs/heads/main"}


def test_the_changes_that_set_sends_are_fields_that_a_declaration_may_have() -> None:
    from decklog.cli.commands import app_set
    from decklog.model import declaration

    flags: dict[str, Any] = {
        "mode": choices.Mode.OFF, "prune": False, "path": "", "ref": "", "dest_namespace": "", "owner": "",
        "conflicts": choices.Conflicts.FAIL, "on_delete": choices.OnDelete.PRUNE, "health_timeout": "",
    }  # fmt: skip
    unset = app_set.changes_of(**flags)
    assert {name for name, value in unset.items() if value is None} == {
        "ref", "destNamespace", "owner", "healthTimeoutSeconds"
    }  # fmt: skip
    named = flags | {"ref": "main", "dest_namespace": "shop", "owner": "me", "health_timeout": "5m", "path": "apps"}
    spec = {**app_set.changes_of(**named), "source": "infra", "destCluster": "dev"}
    declaration.parse(
        {"apiVersion": declaration.API_VERSION, "kind": "Application", "metadata": {"name": "a"}, "spec": spec}
    )
    assert app_set.changes_of(**dict.fromkeys(flags)) == {}


def test_every_kind_of_line_can_be_asked_for() -> None:
    """What the timeline shows beside events, the command line knows by the same names."""
    shown = {kind.capitalize() for kind in timeline_fold.TROUBLE} | {"Erased", "Late"}
    assert set(timeline_command.KINDS_OF_LEAVES) == shown
