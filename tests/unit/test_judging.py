"""What of the health of objects is news: most are healthy from the first, and say so once, together."""

from decklog.events.v1 import apply_pb2, state_pb2, subject_pb2
from decklog.model import masking
from services.reconcile import judging, rendering
from services.reconcile.core import health, recalling, recollection, sayings
from tests import kube

WANTED = kube.wanted(*(kube.config_map(name) for name in "abc"))
A, B, C = sorted(WANTED)
APP = subject_pb2.ApplicationRef(cluster="dev", application="web")
VOICE = sayings.Voice(APP, subject_pb2.Fence())
FINE = health.Health(health.Status.HEALTHY, "", "")
SICK = health.Health(health.Status.DEGRADED, "NoImage", "there is no such image")
ALL = rendering.Wanted(
    members=WANTED,
    ignored=(),
    digest="d",
    render=sayings.Render(revision=subject_pb2.Revision(), renderer="", renderer_version="", inputs={}),
    redactor=masking.Masking(masking.MaskingKey(bytes(32))).redactor(),
)
NOTHING = recollection.Recollection(state_pb2.ApplicationState(application=APP))


def told(known: recollection.Recollection, *members: health.Health) -> list[apply_pb2.HealthAssessed]:
    found = judging.news(VOICE, known, dict(zip((A, B, C), members, strict=True)), members[0], ALL)
    return [one for one in found if isinstance(one, apply_pb2.HealthAssessed)]


def names(said: list[apply_pb2.HealthAssessed]) -> list[list[str]]:
    return [[ref.name for ref in one.objects] for one in said]


def after(known: recollection.Recollection, *messages: object) -> recollection.Recollection:
    facts = [recalling.Fact(one, 0, 0, "") for one in messages]  # type: ignore[arg-type]
    live = {key: state_pb2.ObjectState(live_digest="j1:x") for key in (A, B, C)}
    return recalling.fold(recollection.Recollection(known.header, {**live, **known.records}), facts)[0]


def test_objects_that_are_healthy_from_the_first_are_told_together_and_once() -> None:
    """One event for all of them; what is not healthy is told by itself, with its reason."""
    first = told(NOTHING, FINE, SICK, FINE)
    assert names(first) == [["a", "c"]]
    assert first[0].health == apply_pb2.HEALTH_HEALTHY
    assert not told(after(NOTHING, *first), FINE, SICK, FINE)


def test_one_that_comes_later_is_told_alone() -> None:
    """A new object of a healthy application shows its health, too."""
    first = told(NOTHING, FINE, FINE, SICK)
    assert names(told(after(NOTHING, *first), FINE, FINE, FINE)) == [["c"]]


def test_one_that_recovers_is_a_change() -> None:
    """What was told as something else before is not healthy from the first."""
    sick = apply_pb2.HealthChanged(object=sayings.ref(A), after=apply_pb2.HEALTH_DEGRADED)
    found = judging.news(VOICE, after(NOTHING, sick), {A: FINE}, FINE, ALL)
    assert [type(one) for one in found] == [apply_pb2.HealthChanged, apply_pb2.HealthChanged]


def test_very_many_are_told_in_several_events(monkeypatch) -> None:
    """An event has a largest size."""
    monkeypatch.setattr(judging, "TOGETHER", 2)
    assert names(told(NOTHING, FINE, FINE, FINE)) == [["a", "b"], ["c"]]


def test_what_is_there_and_not_wanted_is_told_and_does_not_count() -> None:
    """An extra object that is being deleted is not healthy for ever, and the application is none the worse."""
    going = health.Health(health.Status.PROGRESSING, "Terminating", "it is being deleted")
    (said, whole) = judging.news(VOICE, NOTHING, {}, FINE, ALL, {A: going})
    assert isinstance(said, apply_pb2.HealthChanged)
    assert (said.object.name, said.after) == ("a", apply_pb2.HEALTH_PROGRESSING)
    assert isinstance(whole, apply_pb2.HealthChanged)
    assert whole.after == apply_pb2.HEALTH_HEALTHY


def test_another_trouble_is_news_and_the_same_is_not() -> None:
    """Whoever waits for something wants to know for what: the status alone may name an object that is long well."""
    progressing = [health.Health(health.Status.PROGRESSING, "Rollout", f"{n} of 3 are there") for n in (1, 2)]
    first = judging.news(VOICE, NOTHING, {A: progressing[0]}, progressing[0], ALL)
    assert [one.message for one in first] == ["1 of 3 are there"] * 2  # type: ignore[union-attr]
    known = after(NOTHING, *first)
    assert not judging.news(VOICE, known, {A: progressing[0]}, progressing[0], ALL)
    second = judging.news(VOICE, known, {A: progressing[1]}, progressing[1], ALL)
    assert [one.message for one in second] == ["2 of 3 are there"] * 2  # type: ignore[union-attr]
