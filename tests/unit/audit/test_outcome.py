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
        (replace(NOW, render_failure=BROKEN), Until.SYNCED, Stage.FAILED),
        (replace(NOW, render_failure=BROKEN), Until.RECORDED, Stage.RECORDED),
        (replace(NOW, requested=False, mode="detect"), Until.SYNCED, Stage.FAILED),
        (replace(NOW, requested=False, sync_status="in_sync"), Until.SYNCED, Stage.SYNCED),
        (replace(NOW, sync_status="in_sync"), Until.SYNCED, Stage.RECORDED),
    ],
)
def test_stages(standing: Standing, until: Until, stage: Stage) -> None:
    """A request waits for its own sync; a declaration is content with being in sync; an aborted sync goes on."""
    assert decide(standing, until).stage is stage


def test_a_failure_is_an_end() -> None:
    """Nobody waits for what will not come."""
    assert Outcome(stage=Stage.FAILED).reached(Until.HEALTHY)
    assert not Outcome(stage=Stage.SYNCED).reached(Until.HEALTHY)
    assert Outcome(stage=Stage.HEALTHY).reached(Until.SYNCED)
