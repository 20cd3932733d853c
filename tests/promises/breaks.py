"""The breaks: for each promise, edits that would break it, and the tests that must turn red, as data.

An anchor is text that stands exactly once in its file. `words` is a pattern that the failure must show: the checker's
name for its promise, or the assertion that the test makes.
"""

from dataclasses import dataclass

PROMISES = {
    1: "record before act",
    2: "unknown is never in sync",
    3: "exactly-once effect",
    4: "nothing is lost",
    5: "replay equals live",
    6: "no secret leaves unmasked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One way to break one promise."""

    promise: int
    name: str
    file: str
    anchor: str
    replacement: str
    tests: tuple[str, ...]
    words: str
    needs_stack: bool = False


_CORE = "services/reconcile/core"
_UNKNOWN = "tests/promises/test_promise_2_unknown.py::test"
_MASKING = "tests/promises/test_promise_6_masking.py::test"

BREAKS: tuple[Break, ...] = (
    Break(
        promise=2,
        name="an unknown verdict resolves an episode",
        file=f"{_CORE}/drift.py",
        anchor="if comparison.verdict is compare.Verdict.IN_SYNC:",
        replacement="if comparison.verdict in (compare.Verdict.IN_SYNC, compare.Verdict.UNKNOWN):",
        tests=(f"{_UNKNOWN}_not_having_looked_resolves_nothing",),
        words="unknown verdict resolved an episode",
    ),
    Break(
        promise=2,
        name="an unknown verdict does not stop a sync",
        file=f"{_CORE}/sync.py",
        anchor="    if verdict.verdict is compare.Verdict.UNKNOWN:\n        return verdict.reason, verdict.error\n",
        replacement="",
        tests=(f"{_UNKNOWN}_a_sync_does_not_begin_on_an_unknown_verdict",),
        words="a sync was planned on an unknown verdict",
    ),
    Break(
        promise=2,
        name="an unknown verdict is kept in the cache",
        file=f"{_CORE}/verdicts.py",
        anchor="in (compare.Verdict.IN_SYNC, compare.Verdict.MODIFIED)",
        replacement="in (compare.Verdict.IN_SYNC, compare.Verdict.MODIFIED, compare.Verdict.UNKNOWN)",
        tests=(f"{_UNKNOWN}_an_unknown_verdict_is_asked_again",),
        words="an unknown verdict was kept",
    ),
    Break(
        promise=6,
        name="the data of a Secret is not masked",
        file="decklog/model/masking/objects.py",
        anchor='encoded = _at(obj, ("data",), lambda value: _leaves(value, masker.encoded))',
        replacement="encoded = obj",
        tests=(f"{_MASKING}_no_form_of_the_secret_is_in_what_is_recorded",),
        words="a secret was recorded",
    ),
    Break(
        promise=6,
        name="errors are recorded as they are",
        file="decklog/model/masking/text.py",
        anchor="        return self._pattern.sub(lambda found: self._key.mask(self._forms[found[0]]), text)",
        replacement="        return text",
        tests=(f"{_MASKING}_no_error_repeats_a_secret",),
        words="an error repeats a secret",
    ),
)
