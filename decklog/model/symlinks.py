"""Whether a symbolic link of a tree leads out of it, told from the tree alone, before anything is on a disk."""

from collections.abc import Mapping

_MOST_LINKS = 40
"""As many as Linux follows in one path before it gives up (ELOOP)."""

Links = Mapping[tuple[str, ...], str]
"""Symbolic links of a tree: path → target as it is written in the link."""


def leads_out(link: tuple[str, ...], links: Links) -> bool:
    """Whether following a link leaves the tree at any moment, also by way of other links. A loop leads nowhere.

    The target is followed step by step as a kernel would: taking `..` out of the text beforehand would be fooled by a
    link on the way.
    """
    at: list[str] = list(link[:-1])
    left = _steps(links[link])
    if links[link].startswith("/"):
        return True
    followed = 1
    while left:
        step = left.pop(0)
        if step == "..":
            if not at:
                return True
            at.pop()
            continue
        at.append(step)
        target = links.get(tuple(at))
        if target is None:
            continue
        followed += 1
        if target.startswith("/"):
            return True
        if followed > _MOST_LINKS:
            return False
        at.pop()
        left = _steps(target) + left
    return False


def _steps(target: str) -> list[str]:
    return [step for step in target.split("/") if step not in ("", ".")]
