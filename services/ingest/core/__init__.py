"""What ingest decides, from values to values: no clock, no network, no Kafka, no logging.

What belongs here: how a commit object reads, which refs moved and which commits are new, what ingest remembers
between two starts, which applications hear of a revision, and what the fleet repository declares.
"""
