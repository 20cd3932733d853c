"""Reconcile's decisions: values in, values out; no clock, no I/O, no logging, nothing awaited.

`desired` makes rendered objects into what is wanted; `stages` orders it; `normalise`, `compare`, `patch` and `managers`
say whether a live object differs from it, where and by whom; `inventory` and `claims` say what may be pruned and what
belongs to somebody else; `health` judges; `drift` tells the story of a difference as episodes; `sync` decides what to
do about it all. The shell beside this package gathers what they need and carries out what they return.
"""
