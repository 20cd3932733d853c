"""What health means for each kind. One file per family of kinds, each with its `RULES`: (group, kind) → rule.

A rule is a plain function from an object's facts to a verdict, written from the kind's documented status. A kind is
added by adding its rule to the table of its family; the engine in `health` does not change. Objects whose spec was not
observed yet, or that are being deleted, never reach a rule.
"""
