"""Masking: secret values become keyed digests before anything is recorded.

Equal values stay recognisably equal and unequal ones unequal, so drift in a Secret can be shown, dated and proved
without the Secret. What is recorded is masked, here; what is applied to a cluster never is. The key lives with ingest
and reconcile. Everything here is pure: the key and the rules are arguments.

* `key` — the installation's masking key and the form of a masked value.
* `rules` — what counts as secret, by default and as declared.
* `objects` — masking of one Kubernetes object.
* `text` — masking of free text: error messages, diffs, a renderer's output.
* `policy` — key and rules as one value, which is what most callers hold.
"""

from decklog.model.masking.key import MaskingKey, is_masked, key_id
from decklog.model.masking.objects import mask, mask_values, secret_values
from decklog.model.masking.policy import Masking
from decklog.model.masking.rules import DEFAULT_RULES, MaskingRule, MaskingRules, declared
from decklog.model.masking.text import Redactor

__all__ = [
    "DEFAULT_RULES",
    "Masking",
    "MaskingKey",
    "MaskingRule",
    "MaskingRules",
    "Redactor",
    "declared",
    "is_masked",
    "key_id",
    "mask",
    "mask_values",
    "secret_values",
]
