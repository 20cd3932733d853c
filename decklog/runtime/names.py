"""Names of spans, attributes and metrics, in one place.

They follow OpenTelemetry's semantic conventions for messaging, VCS and CI/CD where those have a word for it.
"""

from typing import Final

# Spans: the way of a change.
SPAN_FETCH: Final = "git fetch"
SPAN_WALK: Final = "git walk"
SPAN_EMIT: Final = "kafka publish"
SPAN_RENDER: Final = "render"
SPAN_DIFF: Final = "diff"
SPAN_APPLY: Final = "apply"
SPAN_SEQUENCE: Final = "ledger sequence"
SPAN_PROJECT: Final = "ledger project"
SPAN_PUBLISH: Final = "ledger publish"
SPAN_COMMAND: Final = "command"

# Attributes.
SOURCE: Final = "vcs.repository.name"
REF: Final = "vcs.ref.head.name"
COMMIT: Final = "vcs.ref.head.revision"
APPLICATION: Final = "decklog.application"
CLUSTER: Final = "k8s.cluster.name"
SYNC: Final = "cicd.pipeline.run.id"
OUTCOME: Final = "cicd.pipeline.result"
TOPIC: Final = "messaging.destination.name"
BATCH: Final = "messaging.batch.message_count"
LEAF: Final = "decklog.ledger.leaf"

# Metrics (Prometheus).
METRIC_EVENTS: Final = "decklog_events_published_total"
METRIC_SOURCE_FAILURES: Final = "decklog_source_failures_total"
METRIC_SYNCS: Final = "decklog_syncs_total"
METRIC_DRIFTED: Final = "decklog_drifted_objects"
METRIC_SEQUENCED: Final = "decklog_ledger_sequenced_total"
METRIC_LEDGER_SIZE: Final = "decklog_ledger_size"
METRIC_PUBLISHED: Final = "decklog_ledger_published_size"
METRIC_WITNESSED: Final = "decklog_ledger_witnessed_size"
METRIC_WITNESS_FAILURES: Final = "decklog_witness_failures_total"
METRIC_DISPUTED: Final = "decklog_ledger_disputed"
METRIC_CONTRADICTS: Final = "decklog_witness_contradicts"
METRIC_REFUSED: Final = "decklog_ledger_refused"
METRIC_WITHHELD: Final = "decklog_ledger_withheld"
METRIC_ANCHORED: Final = "decklog_ledger_anchored_size"
METRIC_TIME_STAMP_FAILURES: Final = "decklog_time_stamp_failures_total"
METRIC_REPEATED: Final = "decklog_ledger_repeated_total"
METRIC_NOTICES: Final = "decklog_ledger_notices_total"
METRIC_HALTED: Final = "decklog_ledger_halted_topics"
METRIC_LAG: Final = "decklog_projector_lag_leaves"
METRIC_UNPLACED: Final = "decklog_projector_unplaced_total"
METRIC_DEAD_LETTERS: Final = "decklog_dead_letters_total"
METRIC_REQUESTS: Final = "decklog_http_requests_total"
