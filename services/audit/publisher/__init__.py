"""The publisher: from sequenced leaves to a log that others can read and check.

Three rungs of the ladder, each a pure function of the one before, so that catching up after a crash is running again:
*integrated* (tiles, entries and salts are durable files, `folder`), *published* (the checkpoint over them is signed and
stored in Postgres), *served* (the checkpoint's file is replaced). A crash between any two loses nothing: what was
written is written again, byte for byte. `publishing` climbs once, `publisher` follows the ledger and survives bad
weather. What may be signed is decided in `services.audit.core.publication`.
"""
