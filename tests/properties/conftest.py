"""Hypothesis without a deadline: how long an example takes says something about the machine, not about the code."""

import hypothesis

hypothesis.settings.register_profile("decklog", deadline=None, derandomize=False)
hypothesis.settings.load_profile("decklog")
