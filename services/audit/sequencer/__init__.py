"""The sequencer: the one writer of the ledger, from every partition of every sequenced topic.

Its shell gathers (poll, look ids up), the core decides (`services.audit.core.sequencing`), the store appends in one
transaction. A crash anywhere is a re-run: positions come from the ledger, Kafka keeps the records, and what was
dead-lettered twice stands there twice.
"""
