"""The simulation: the real sequencer, the real reconcile and the real folds on memory adapters and one fake clock.

A seed decides everything: what people do (commits, edits by hand), the weather (lost acknowledgements, outages,
retention, skewed clocks), and when a process is killed or paused. Nothing waits for real time, nothing starts a
thread, nothing leaves the process, so the same seed is the same run.

* `loop` — the event loop that runs until idle, then moves the fake clock to the next sleeper.
* `life` — an instance of a service that can be killed or paused between any two calls to the outside.
* `schedule` — what a seed means: pure, seed in, plan out.
* `world` — the memory adapters wired to the services; executes a plan and keeps the history.
* `history` — what happened, as values.
* `promises` — one pure checker per promise of DESIGN section 2, over a history.

`python -m tests.simulation --seeds 5000 --from 1000` runs more than the tests do.
"""
