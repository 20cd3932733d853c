"""audit: sequences every event into one ledger, projects it, serves it. The only writer of Postgres.

`sequencer` makes leaves of what Kafka holds; `projector` folds leaves into the tables of schema `audit`; `api` serves
them and turns commands into events; `page` shows them. `core` decides all that can be decided without the world. Audit
never touches a cluster and never asks another service anything.
"""
