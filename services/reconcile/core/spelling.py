"""How the words of the core are spelled in events, both ways."""

from decklog.events.v1 import apply_pb2, drift_pb2
from services.reconcile.core import compare, sync

OUTCOMES = {
    apply_pb2.SYNC_OUTCOME_SUCCEEDED: sync.Outcome.SUCCEEDED,
    apply_pb2.SYNC_OUTCOME_FAILED: sync.Outcome.FAILED,
    apply_pb2.SYNC_OUTCOME_ABORTED: sync.Outcome.ABORTED,
}
OUTCOMES_BY_NAME = {outcome: number for number, outcome in OUTCOMES.items()}

TRIGGERS = {
    apply_pb2.SYNC_TRIGGER_REVISION: sync.Trigger.REVISION,
    apply_pb2.SYNC_TRIGGER_DRIFT: sync.Trigger.DRIFT,
    apply_pb2.SYNC_TRIGGER_REQUEST: sync.Trigger.REQUEST,
    apply_pb2.SYNC_TRIGGER_RETRY: sync.Trigger.RETRY,
    apply_pb2.SYNC_TRIGGER_DECLARATION: sync.Trigger.DECLARATION,
    apply_pb2.SYNC_TRIGGER_REMOVAL: sync.Trigger.REMOVAL,
}
TRIGGERS_BY_NAME = {trigger: number for number, trigger in TRIGGERS.items()}

VERDICTS = {
    drift_pb2.VERDICT_IN_SYNC: compare.Verdict.IN_SYNC,
    drift_pb2.VERDICT_MODIFIED: compare.Verdict.MODIFIED,
    drift_pb2.VERDICT_MISSING: compare.Verdict.MISSING,
    drift_pb2.VERDICT_EXTRA: compare.Verdict.EXTRA,
    drift_pb2.VERDICT_UNKNOWN: compare.Verdict.UNKNOWN,
}
VERDICTS_BY_NAME = {verdict: number for number, verdict in VERDICTS.items()}
