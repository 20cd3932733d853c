"""The outside world behind the ports: Kafka, Postgres, Git, Kubernetes, the system clock, and their in-memory twins.

One sub-package a technology; here, and nowhere else, a library's exceptions become those of `decklog.model.errors`.
"""
