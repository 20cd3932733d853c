"""The story of a difference: opened, changed, resolved."""

from services.reconcile.core import compare, drift, patch
from tests import kube

KEY = kube.key("/ConfigMap/shop/c")
APPLICATION = "dev/shop"


def modified(live="j1:aa", desired="j1:dd", version="7"):
    return compare.Comparison(
        key=KEY,
        verdict=compare.Verdict.MODIFIED,
        desired_digest=desired,
        live_digest=live,
        uid="u",
        live_resource_version=version,
        differences=(patch.Operation(patch.Op.REPLACE, ("data", "a"), live),),
    )


IN_SYNC = compare.Comparison(key=KEY, verdict=compare.Verdict.IN_SYNC)
UNKNOWN = compare.unknown(KEY, reason="DryRunFailed", error="webhook down")


def told(*comparisons):
    """The phases and episodes of a series of verdicts."""
    episode, said = None, []
    for comparison in comparisons:
        observation = drift.observe(APPLICATION, episode, comparison)
        if observation is not None:
            episode = observation.episode
            said.append((observation.phase.value, observation.episode_id))
    return said


def test_a_difference_opens_changes_and_resolves_under_one_id():
    """And each step is told once."""
    story = told(IN_SYNC, modified(), modified(), modified(version="8"), modified("j1:bb"), IN_SYNC, IN_SYNC)
    assert [phase for phase, _ in story] == ["opened", "changed", "resolved"]
    assert len({episode for _, episode in story}) == 1


def test_the_next_difference_is_another_episode():
    """The live object has moved on."""
    story = told(modified(), IN_SYNC, modified(version="9"), IN_SYNC)
    assert story[0][1] == story[1][1] != story[2][1]


def test_a_new_commit_changes_an_open_episode():
    """What it is compared with is part of the story."""
    assert [phase for phase, _ in told(modified(), modified(desired="j1:ee"))] == ["opened", "changed"]


def test_an_error_in_other_words_is_the_same_error():
    """The API server's complaints about one object come in any order; another reason is told."""
    reworded = compare.unknown(KEY, reason="DryRunFailed", error="the webhook is down, it seems")
    forbidden = compare.unknown(KEY, reason="Forbidden", error="webhook down")
    assert [phase for phase, _ in told(UNKNOWN, reworded, UNKNOWN, forbidden)] == ["opened", "changed"]


def test_unknown_is_told_and_does_not_resolve():
    """Not being able to look is neither in sync nor the end of a drift."""
    story = told(modified(), UNKNOWN, UNKNOWN, modified(), IN_SYNC)
    assert [phase for phase, _ in story] == ["opened", "changed", "changed", "resolved"]
    assert len({episode for _, episode in story}) == 1


def test_a_known_drift_is_remembered_while_it_cannot_be_looked_at():
    """What was drifted is not healed by blindness."""
    opened = drift.observe(APPLICATION, None, modified())
    blind = drift.observe(APPLICATION, opened.episode, UNKNOWN)
    assert blind.episode.drifted
    assert not drift.observe(APPLICATION, None, UNKNOWN).episode.drifted


def test_whoever_opens_it_again_after_a_crash_gives_it_the_same_id():
    """From the same two versions; another application's is another."""
    assert drift.episode_id_of(APPLICATION, modified()) == drift.episode_id_of(APPLICATION, modified("j1:zz"))
    assert drift.episode_id_of(APPLICATION, modified()) != drift.episode_id_of("dev/blog", modified())


def test_an_object_that_is_pruned_ends_its_story():
    """There is nothing left to compare."""
    opened = drift.observe(APPLICATION, None, modified())
    ended = drift.gone(opened.episode, KEY)
    assert (ended.phase, ended.episode_id, ended.episode) == (drift.Phase.RESOLVED, opened.episode_id, None)
    assert drift.gone(None, KEY) is None
