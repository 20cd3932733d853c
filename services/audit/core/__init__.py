"""Audit's decisions: values in, values out; no clock, no I/O, no logging, nothing awaited.

Writing: `sequencing` makes records into leaves. Reading: `leaf` and `leaves` are what the ledger gives, `rows` what
the tables hold, `folding` drives the `projections` over a `view`, `standing` and `summaries` word the outcome.
Answering: what an API call may ask and what is refused. SQL, HTTP and time live in the shell beside this package.
"""
