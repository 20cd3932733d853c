"""How values look on the page."""

from typing import Any

from services.audit.page import wording


def application(**more: Any) -> dict[str, Any]:
    return {
        "spec": {"source": "infra"},
        "cluster": "dev",
        "failures": {},
        "sync_status": "in_sync",
        "health": "healthy",
    } | more


def test_opaque_ids_are_shortened() -> None:
    """Names stay whole."""
    assert wording.who("author:6b67079ec63bbbfcfc72635a8781c6e0") == "author:6b67079e…"
    assert wording.who("kube-controller-manager") == "kube-controller-manager"


def test_the_counts_name_each_application_once() -> None:
    """One that fails is not counted again among the unknown."""
    broken = application(failures={"render": {"message": "x"}}, sync_status="unknown")
    listed = [application(), broken, application(sync_status="drifted"), application(health="degraded")]
    assert wording.counts(listed) == "4 applications, 1 failing, 1 drifted, 1 unhealthy"
    assert wording.counts([application()]) == "1 application"


def test_a_failure_of_a_source_names_it() -> None:
    """It may be another one than the reader thinks of."""
    (trouble,) = wording.troubles(application(source_failure={"message": "away"}))
    assert trouble["stage"] == "source infra"


def test_a_failure_that_two_stages_met_is_shown_once() -> None:
    """A sync that was asked for fails for what keeps the commit from being rendered."""
    failure = {"message": "invalid YAML", "file": "a.yaml", "line": 3}
    (trouble,) = wording.troubles(application(failures={"sync": failure, "render": dict(failure)}))
    assert trouble == {**failure, "stage": "render, sync"}
    other = {**failure, "line": 4}
    assert len(wording.troubles(application(failures={"sync": failure, "render": other}))) == 2


def test_an_application_that_delivers_nothing_says_so() -> None:
    """In sync and healthy as it is; what is left over in the cluster is not declared."""
    empty = application(rendered_commit="a" * 40, objects=0, extra=0)
    assert wording.note(empty) == "nothing is declared there: 0 objects at aaaaaaaa"
    assert wording.note({**empty, "objects": 2, "extra": 2})
    assert wording.note({**empty, "objects": 2, "extra": 1}) == ""
    assert wording.note({**empty, "rendered_commit": ""}) == ""
    assert wording.note({**empty, "failures": {"render": {"message": "x"}}}) == ""
