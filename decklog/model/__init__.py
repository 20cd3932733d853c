"""The words of Decklog and the rules between them: ids, events, envelopes, canonical bytes, Merkle trees, masking.

Everything here is pure: values in, values out. No clock, no randomness, no I/O and no logging: times, entropy and
keys are arguments.
"""
