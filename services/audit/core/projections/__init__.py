"""The projections: each file is one concern of the read side, as a pure fold over leaves.

What belongs here: which rows a message changes, and how. What does not: SQL, time, order of execution, and wording for
people (that is `summaries`).
"""
