"""Names of declared things: what one looks like, and which one was probably meant."""

import difflib
import re
from collections.abc import Iterable

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A DNS label (RFC 1123)."""

FORM = "1 to 63 lower-case letters, digits and '-', such as 'shop-frontend'"


def nearest(word: str, known: Iterable[object]) -> str | None:
    """The known word that is nearest to one that is not known; None if none is near."""
    near = difflib.get_close_matches(word, [str(one) for one in known], n=1)
    return near[0] if near else None
