"""An application is degraded by time alone only if something of it was not healthy, seen so, for all that time."""

from hypothesis import given
from hypothesis import strategies as st

from decklog.events.v1 import apply_pb2, state_pb2, subject_pb2
from decklog.model import masking, objects
from services.reconcile import judging, rendering
from services.reconcile.core import health, recalling, recollection, sayings
from tests import kube

SECOND = 1_000_000
TIMEOUT = 30
WANTED = kube.wanted(*(kube.config_map(name) for name in "ab"))
KEYS = tuple(sorted(WANTED))
APP = subject_pb2.ApplicationRef(cluster="dev", application="web")
VOICE = sayings.Voice(APP, subject_pb2.Fence())
ALL = rendering.Wanted(
    members=WANTED,
    ignored=(),
    digest="d",
    render=sayings.Render(revision=subject_pb2.Revision(), renderer="", renderer_version="", inputs={}),
    redactor=masking.Masking(masking.MaskingKey(bytes(32))).redactor(),
)
AILING = (health.Status.PROGRESSING, health.Status.MISSING, health.Status.DEGRADED)

SIGHTS = st.tuples(st.sampled_from(health.Status), st.sampled_from(health.Status))
STEPS = st.tuples(st.integers(1, 20), st.sampled_from(["look", "look", "look", "write", "nothing", "restart"]), SIGHTS)


def restarted(known: recollection.Recollection) -> recollection.Recollection:
    """What the next owner reads of what was stored."""
    header = state_pb2.ApplicationState.FromString(known.header.SerializeToString())
    return recollection.Recollection(
        header,
        {key: state_pb2.ObjectState.FromString(one.SerializeToString()) for key, one in known.records.items()},
    )


def folded(known: recollection.Recollection, now: int, messages: list[object]) -> recollection.Recollection:
    facts = [recalling.Fact(one, 0, now * SECOND, "") for one in messages]  # type: ignore[arg-type]
    return recalling.fold(known, facts)[0]


def synced(known: recollection.Recollection, now: int, *, writing: bool) -> recollection.Recollection:
    outcome = apply_pb2.OBJECT_OUTCOME_CONFIGURED if writing else apply_pb2.OBJECT_OUTCOME_SKIPPED
    applied = [apply_pb2.ObjectApplied(object=sayings.ref(key), outcome=outcome) for key in KEYS]
    ended = apply_pb2.SyncFinished(outcome=apply_pb2.SYNC_OUTCOME_SUCCEEDED)
    return folded(known, now, [apply_pb2.SyncStarted(), *applied, ended])


def seen(ailing: bool, since: int | None, now: int) -> int | None:
    """From when on something was ailing at every look."""
    return (now if since is None else since) if ailing else None


@given(st.lists(STEPS, max_size=40))
def test_degraded_by_time_means_not_healthy_for_all_that_time(
    steps: list[tuple[int, str, tuple[health.Status, health.Status]]],
) -> None:
    """Whatever happened before, however often the owner changed; and what was ailing for so long is degraded."""
    now = written = 1_000
    known = synced(recollection.Recollection(state_pb2.ApplicationState(application=APP)), now, writing=True)
    lost: dict[objects.ObjectKey, int | None] = dict.fromkeys(KEYS)
    sighted: int | None = None
    for seconds, act, sight in steps:
        now += seconds
        if act in ("write", "nothing"):
            known = synced(known, now, writing=act == "write")
            written = now if act == "write" else written
        elif act == "restart":
            known = restarted(known)
        members = {key: health.Health(status, "R", "m") for key, status in zip(KEYS, sight, strict=True)}
        waits = judging.waits(known, members, now=float(now))
        whole = health.application(members, waits=waits, now=float(now), timeout_seconds=float(TIMEOUT))
        known = folded(known, now, list(judging.news(VOICE, known, members, whole, ALL)))
        lost = {key: seen(one.status in AILING, lost[key], now) for key, one in members.items()}
        sighted = seen(whole.status is not health.Status.UNKNOWN, sighted, now)
        starts = [since for key, since in lost.items() if since is not None and health.waiting(members[key])]
        late = bool(starts) and now - max(written, min(starts)) >= TIMEOUT
        if whole.reason == "HealthTimeout":
            assert late
        if late and sighted is not None and now - sighted >= TIMEOUT:
            assert whole.status is health.Status.DEGRADED
