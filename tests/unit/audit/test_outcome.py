"""What became of a command, decided from what is projected."""

from dataclasses import replace

import pytest

from services.audit.core.outcome import Outcome, Stage, Standing, Sync, Until, decide

NOW = Standing(leaf=7, application="shop", mode="heal", requested=True, sync_status="drifted", health="progressing")
RUNNING = Sync(sync_id="s", outcome="", failure=None, finished_us=None)
DONE = replace(RUNNING, outcome="succeeded")
FAILED = replace(RUNNING, outcome="failed", failure={"reason": "Forbidden"})
BROKEN = {"reason": "InvalidYaml"}


@pytest.mark.parametrize(
    ("standing", "until", "stage"),
    [
        (Standing(leaf=None), Until.RECORDED, Stage.PENDING),
        (NOW, Until.RECORDED, Stage.RECORDED),
        (NOW, Until.SYNCED, Stage.RECORDED),
        (replace(NOW, sync=RUNNING), Until.SYNCED, Stage.RECORDED),
        (replace(NOW, sync=replace(RUNNING, outcome="aborted")), Until.SYNCED, Stage.RECORDED),
        (replace(NOW, sync=DONE), Until.SYNCED, Stage.SYNCED),
        (replace(NOW, sync=DONE, health="healthy"), Until.HEALTHY, Stage.HEALTHY),
        (replace(NOW, sync=FAILED), Until.SYNCED, Stage.FAILED),
        (replace(NOW, requested=False, render_failure=BROKEN), Until.SYNCED, Stage.FAILED),
        (replace(NOW, requested=False, render_failure=BROKEN), Until.RECORDED, Stage.RECORDED),
        (replace(NOW, requested=False, source_failure=BROKEN), Until.SYNCED, Stage.FAILED),
        (replace(NOW, cluster_failure=BROKEN), Until.SYNCED, Stage.FAILED),
        (replace(NOW, commit_known=False, source_failure=BROKEN), Until.SYNCED, Stage.FAILED),
        (replace(NOW, commit_known=False), Until.SYNCED, Stage.RECORDED),
        (replace(NOW, requested=False, mode="detect"), Until.SYNCED, Stage.FAILED),
        (replace(NOW, requested=False, sync_status="in_sync"), Until.SYNCED, Stage.SYNCED),
        (replace(NOW, sync_status="in_sync"), Until.SYNCED, Stage.RECORDED),
    ],
)
def test_stages(standing: Standing, until: Until, stage: Stage) -> None:
    """A request waits for its own sync; a declaration is content with being in sync; an aborted sync goes on."""
    assert decide(standing, until).stage is stage


def test_a_request_follows_its_own_sync_and_not_what_fails_of_another_commit() -> None:
    """The newest commit cannot be rendered, its source cannot be followed: what was asked for may be fine."""
    standing = replace(NOW, render_failure=BROKEN, source_failure=BROKEN)
    assert decide(standing, Until.SYNCED).stage is Stage.RECORDED
    assert decide(replace(standing, sync=DONE), Until.SYNCED).stage is Stage.SYNCED
    own = replace(FAILED, failure={"reason": "RenderFailed"})
    assert decide(replace(standing, sync=own), Until.SYNCED) == Outcome(
        stage=Stage.FAILED, failure={"reason": "RenderFailed"}, sync_id="s"
    )


def test_a_failure_is_an_end() -> None:
    """Nobody waits for what will not come."""
    assert Outcome(stage=Stage.FAILED).reached(Until.HEALTHY)
    assert not Outcome(stage=Stage.SYNCED).reached(Until.HEALTHY)
    assert Outcome(stage=Stage.HEALTHY).reached(Until.SYNCED)
