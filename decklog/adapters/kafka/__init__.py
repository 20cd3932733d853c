"""The event stream on Kafka, by aiokafka. Nothing outside this package imports aiokafka or sees its exceptions.

Every setting is explicit, because the library's defaults are the opposite of what is promised here: all in-sync
replicas acknowledge, producers are idempotent, nothing is committed by itself, and an offset out of range is an error.
"""
