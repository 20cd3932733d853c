"""Transparency logs in the forms that others read: RFC 6962 proofs and the C2SP specifications around them.

Tiles, entry bundles, signed notes, checkpoints, cosignatures, proof files and trust policies as values and bytes. What
has to be read is asked for through one callable; nothing here opens a file or a connection, and nothing reads a clock.
The hashes and the frontier of a growing tree are in `decklog.model.merkle`.
"""
