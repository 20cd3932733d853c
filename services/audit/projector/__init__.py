"""The projector: follows the ledger by leaf index and keeps the tables of schema `audit`.

It reads a slice of leaves, the next one while one is written (`reading`), fetches the rows that the folds need
(`tables`), folds them (`services.audit.core`), and writes effects and cursor in one transaction (`projecting`). Its own
task, woken by the ledger's own notification (`following`); a compare-and-set on the cursor keeps two projectors from
doubling anything. `rebuilding` runs the same code from leaf 0 beside the live tables.
"""
