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
_SEQUENCING = "services/audit/core/sequencing.py"
_LEAVES = "decklog/native/leaves.c"
_POSTGRES = "decklog/adapters/postgres/ledger.py"

_RECORD = "tests/promises/test_promise_1_record_before_act.py::test"
_PRODUCER = "tests/faults/test_producer_outage.py::test"
_UNKNOWN = "tests/promises/test_promise_2_unknown.py::test"
_LEDGER = "tests/promises/test_promise_3_and_4_ledger.py::test"
_FOLDS = "tests/unit/audit/test_object_folds.py::test"
_MEMBERS = "tests/promises/test_promise_3_members.py::test"
_REPLAY = "tests/promises/test_promise_5_replay.py::test"
_MASKING = "tests/promises/test_promise_6_masking.py::test"
_LEAK = "tests/promises/test_promise_6_simulated.py::test"
_EVERYWHERE = "tests/promises/test_promise_6_everywhere.py::test"
_REAL_LEDGER = "tests/integration/audit/test_promise_exactly_once.py::test"
_REAL_REPLAY = "tests/integration/audit/test_promise_replay_equals_live.py::test"
_INGEST = "tests/unit/ingest/test_restarts.py::test"

_RECORD_BEFORE_ACT = (
    Break(
        promise=1,
        name="a heal does not tell its drift first",
        file="services/reconcile/turning.py",
        anchor="                await self._tell(wanted, picture)  # recorded before it is touched\n",
        replacement="                pass\n",
        tests=(f"{_RECORD}_a_heal_waits_for_its_drift",),
        words="heals a drift of which no acknowledged DriftObserved",
    ),
    Break(
        promise=1,
        name="a sync starts to write while its start is sent",
        file="services/reconcile/applying.py",
        anchor="        await self._start(plan)\n",
        replacement="        _ = asyncio.ensure_future(self._start(plan))\n",
        tests=(f"{_RECORD}_a_sync_waits_for_its_start",),
        words="no acknowledged SyncStarted",
    ),
    Break(
        promise=1,
        name="an unacknowledged record counts as said",
        file="decklog/runtime/emitter.py",
        anchor="        places = await self._producer.send_all([one.record for one in sealed])\n",
        replacement=(
            "        try:\n"
            "            places = await self._producer.send_all([one.record for one in sealed])\n"
            "        except errors.Transient:\n"
            "            places = [stream.Coordinates(one.record.topic, one.record.partition, 0) for one in sealed]\n"
        ),
        tests=(f"{_RECORD}_what_was_not_acknowledged_was_not_said",),
        words="no acknowledged (SyncStarted|DriftObserved)",
    ),
    Break(
        promise=1,
        name="the producer does not wait for the brokers",
        file="decklog/adapters/kafka/producer.py",
        anchor=(
            "            await asyncio.wait(futures)\n"
            "        return [_coordinates(future.result()) for future in futures]\n"
        ),
        replacement=(
            "            pass\n        return [stream.Coordinates(one.topic, one.partition or 0, 0) for one in batch]\n"
        ),
        tests=(f"{_PRODUCER}_what_no_broker_acknowledged_was_not_sent",),
        words="DID NOT RAISE",
        needs_stack=True,
    ),
)

_UNKNOWN_IS_NOT_IN_SYNC = (
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
        promise=2,
        name="a refused dry-run counts as in sync",
        file="services/reconcile/comparing.py",
        anchor="            return unknown(one, live, error, redactor.knowing(view.mask.secrets(live)))\n",
        replacement=(
            "            return compare.Comparison("
            "key=one.key, verdict=compare.Verdict.IN_SYNC, desired_digest=one.digest)\n"
        ),
        tests=(f"{_UNKNOWN}_a_refused_dry_run_is_not_in_sync",),
        words="unknown is never in sync|was not told as unknown",
    ),
    Break(
        promise=2,
        name="a lost watch makes nothing unknown",
        file="services/reconcile/watches.py",
        anchor="        return self._trouble or cluster.Unavailable(",
        replacement="        return None if self._listed.is_set() else cluster.Unavailable(",
        tests=(f"{_UNKNOWN}_a_lost_watch_is_not_in_sync",),
        words="was not told as unknown",
    ),
    Break(
        promise=2,
        name="what told nothing is in sync although the counts do not add up",
        file="services/audit/core/standing.py",
        anchor="    if in_sync is None or known + len(pending) == in_sync:\n",
        replacement="    if in_sync is None or known + len(pending) >= in_sync:\n",
        tests=(f"{_FOLDS}_a_comparison_whose_counts_do_not_add_up_settles_nothing",),
        words="in_sync",
    ),
    Break(
        promise=2,
        name="an application is in sync before it was compared as a whole",
        file="services/audit/core/standing.py",
        anchor='    return "in_sync" if compared and not application.pending else "unknown"\n',
        replacement='    return "in_sync" if not application.pending else "unknown"\n',
        tests=(f"{_FOLDS}_what_left_git_is_not_in_sync_before_somebody_looked",),
        words="in_sync",
    ),
)

_EXACTLY_ONCE = (
    Break(
        promise=3,
        name="the same coordinates again are sequenced again",
        file=_SEQUENCING,
        anchor="        if offset < cursor.next_offset:",
        replacement="        if offset < 0:",
        tests=(f"{_LEDGER}_each_record_counts_once",),
        words="exactly-once effect: leaf .* has the coordinates of leaf",
    ),
    Break(
        promise=3,
        name="ids are not looked up",
        file=_SEQUENCING,
        anchor="        first = self._known.get(identity)\n",
        replacement="        first = None\n",
        tests=(f"{_LEDGER}_each_record_counts_once",),
        words="exactly-once effect|was recorded twice",
    ),
    Break(
        promise=3,
        name="ids are not looked up in C",
        file=_LEAVES,
        anchor="    const int repeated = PyDict_Contains(draft->known, identity);\n",
        replacement="    const int repeated = 0;\n",
        tests=(f"{_LEDGER}_each_record_counts_once",),
        words="exactly-once effect|was recorded twice",
    ),
    Break(
        promise=3,
        name="the head is no fence",
        file=_POSTGRES,
        anchor="WHERE size = $1 AND frontier = $6",
        replacement="WHERE $1::bigint >= 0 AND $6::bytea IS NOT NULL",
        tests=(f"{_REAL_LEDGER}_a_paused_writer_changes_nothing_when_it_wakes",),
        words="DID NOT RAISE|Fenced|DecklogError|UniqueViolation|errors\\.",
        needs_stack=True,
    ),
    Break(
        promise=3,
        name="positions do not move with the leaves",
        file=_POSTGRES,
        anchor="            await _move_positions(connection, addition.positions)\n",
        replacement="            await _move_positions(connection, {})\n",
        tests=(f"{_REAL_LEDGER}_killed_at_every_failpoint",),
        words="TimeoutError|every record sent is one leaf",
        needs_stack=True,
    ),
)

_REPLACED_MEMBERS = (
    Break(
        promise=3,
        name="the folds take what a replaced member says",
        file="services/audit/core/ownership.py",
        anchor="    if word is None or not ownership.is_late(word, standing(view, leaf)):\n",
        replacement="    if word is None or word:\n",
        tests=(f"{_MEMBERS}_a_member_that_was_replaced_changes_nothing",),
        words="exactly-once effect: .* which a replaced member said too late",
    ),
    Break(
        promise=3,
        name="a new owner recalls what a replaced member says",
        file="services/reconcile/recovery.py",
        anchor="    if not log_of.counts(said):\n",
        replacement="    if log_of.counts(said) and False:\n",
        tests=(f"{_MEMBERS}_nobody_goes_on_from_what_came_too_late",),
        words="exactly-once effect: .* (ended sync|not numbered one by one)",
    ),
)

_NOTHING_LOST = (
    Break(
        promise=4,
        name="absent offsets are passed over in silence",
        file=_SEQUENCING,
        anchor="            self._gap(cursor, offset, ABSENT)\n",
        replacement="            pass\n",
        tests=(f"{_LEDGER}_nothing_is_missing",),
        words="nothing is lost: nothing was ever at",
    ),
    Break(
        promise=4,
        name="absent offsets are passed over in C",
        file=_LEAVES,
        anchor="*offset != expected ||",
        replacement="*offset < expected ||",
        tests=(f"{_LEDGER}_nothing_is_missing",),
        words="nothing is lost: nothing was ever at",
    ),
    Break(
        promise=4,
        name="poison is dropped instead of kept",
        file="services/audit/sequencer/term.py",
        anchor="            await self._parts.producer.send_all(batch.dead_letters)\n",
        replacement="            pass\n",
        tests=(f"{_LEDGER}_nothing_is_missing",),
        words="nothing is lost: leaf .* is poison, but its bytes are no dead letter",
    ),
    Break(
        promise=4,
        name="a leaf does not commit to the headers that it keeps",
        file=_SEQUENCING,
        anchor="receipt.salt(drawn, found.kept)",
        replacement="receipt.salt(drawn, None)",
        tests=(f"{_LEDGER}_nothing_is_missing",),
        words="nothing is lost: leaf .* does not commit to the headers that it keeps",
    ),
    Break(
        promise=4,
        name="a recreated topic counts as the old one",
        file="services/audit/core/sequencing_resume.py",
        anchor="    return 1 + max(position.epoch",
        replacement="    return max(position.epoch",
        tests=(f"{_LEDGER}_nothing_is_missing",),
        words="nothing is lost",
    ),
    Break(
        promise=4,
        name="ingest keeps its cursor before it speaks",
        file="services/ingest/telling.py",
        anchor='        self._failpoint("ingest.before_ref_moved")\n',
        replacement=(
            "        self._notes.cursor = cursors.moved(self._notes.cursor, said, orphaned=orphaned)\n"
            "        await self._notes.keep()\n"
            '        self._failpoint("ingest.before_ref_moved")\n'
        ),
        tests=(f"{_INGEST}_killed_while_following",),
        words="assert|eventually|TimeoutError",
    ),
)

_REPLAY_EQUALS_LIVE = (
    Break(
        promise=5,
        name="a fold does not see the leaf before it",
        file="services/audit/core/folding.py",
        anchor="                if view.apply(row, key, effect):\n",
        replacement="                if effect is not None:\n",
        tests=(f"{_REPLAY}_replay_gives_the_live_tables",),
        words="replay equals live",
    ),
    Break(
        promise=5,
        name="a fold reads a clock",
        file="services/audit/core/leaves.py",
        anchor='        recorded_us=said["recorded_at"],\n',
        replacement='        recorded_us=__import__("time").time_ns() // 1000,\n',
        tests=(f"{_REAL_REPLAY}_replay_equals_live", f"{_REPLAY}_replay_gives_the_live_tables"),
        words="assert|replay equals live",
        needs_stack=True,
    ),
)

_NOTHING_UNMASKED = (
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
    Break(
        promise=6,
        name="what was rendered is recorded as it is",
        file=f"{_CORE}/sayings.py",
        anchor="json=digest.canonical(mask(normalise.desired(one.body)))",
        replacement="json=digest.canonical(normalise.desired(one.body))",
        tests=(f"{_LEAK}_no_record_leaf_or_log_line_holds_the_secret",),
        words="no secret leaves unmasked: .* let a secret into",
    ),
    Break(
        promise=6,
        name="what the API server refuses is recorded as it says it",
        file="services/reconcile/comparing.py",
        anchor="    said = redactor.redact_about(one.key, error.problem)\n",
        replacement="    said = error.problem\n",
        tests=(f"{_LEAK}_no_record_leaf_or_log_line_holds_the_secret",),
        words="no secret leaves unmasked: .* let a secret into",
    ),
    Break(
        promise=6,
        name="live objects are recorded as they are",
        file=f"{_CORE}/snapshot.py",
        anchor="    body = digest.canonical(mask(normalise.observed(live)))\n",
        replacement="    body = digest.canonical(normalise.observed(live))\n",
        tests=(f"{_EVERYWHERE}_no_secret_leaves",),
        words="a secret leaves unmasked:[\\s\\S]*drifted leaves in base64 in",
        needs_stack=True,
    ),
    Break(
        promise=6,
        name="a credential pasted into a reason is recorded",
        file="services/audit/api/commands.py",
        anchor="        reason=credentials.hide(asked.reason),\n",
        replacement="        reason=asked.reason,\n",
        tests=(f"{_EVERYWHERE}_no_secret_leaves",),
        words="a secret leaves unmasked:[\\s\\S]*told leaves as it is in audit.timeline",
        needs_stack=True,
    ),
)

BREAKS: tuple[Break, ...] = (
    *_RECORD_BEFORE_ACT,
    *_UNKNOWN_IS_NOT_IN_SYNC,
    *_EXACTLY_ONCE,
    *_REPLACED_MEMBERS,
    *_NOTHING_LOST,
    *_REPLAY_EQUALS_LIVE,
    *_NOTHING_UNMASKED,
)
