"""Reconcile: renders what is wanted, compares it with the clusters, records drift, applies, prunes, heals, judges.

`core` decides and `render` turns files into objects; the modules here are the shell around them:

* `member` — our share of the applications' partitions; `partition` — one of them, from taking it over to giving it up.
* `application` — one application: gather, decide, act, one turn after another.
* `rendering`, `comparing`, `applying`, `judging`, `witnessing` — the steps of such a turn;
  `turning` puts them together, `ordering`, `telling`, `endings` word what comes of it; `disputes` are objects that two
  applications claim.
* `watches`, `clusters` — what is seen of the clusters.
* `recording`, `state`, `recovery` — what is said, remembered and recalled.
* `fence` — the right to write. `following`, `fleet` — what is read from Kafka.
"""
