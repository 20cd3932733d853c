"""A link is found to lead out exactly when a file system would follow it out."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from decklog.model import symlinks

_FOLDERS = [(), ("a",), ("a", "b"), ("c",)]
_NAMES = ["k", "l", "m"]
_STEPS = st.lists(st.sampled_from(["..", ".", "a", "b", "c", "k", "l", "m"]), min_size=1, max_size=6)
_LINKS = st.dictionaries(
    st.tuples(st.sampled_from(_FOLDERS), st.sampled_from(_NAMES)).map(lambda found: (*found[0], found[1])),
    st.one_of(_STEPS.map("/".join), st.just("/etc/passwd")),
    min_size=1,
    max_size=4,
)


def _visits_outside(root: Path, path: Path) -> bool:
    """Follow a path step by step on a real disk; whether any step is outside of the root."""
    at = root
    left = list(path.relative_to(root).parts)
    for _ in range(400):
        if not left:
            return False
        step = left.pop(0)
        at = at.parent if step == ".." else at / step
        if at != root and root not in at.parents:
            return True
        if at.is_symlink():
            target = str(at.readlink())
            if target.startswith("/"):
                return True
            left = [part for part in target.split("/") if part not in ("", ".")] + left
            at = at.parent
    return False


@given(_LINKS)
@settings(max_examples=100, deadline=None)
def test_as_on_a_disk(links: dict[tuple[str, ...], str]) -> None:
    """Chains, loops, missing targets and `..` through other links are all followed as a kernel does."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "tree"
        for steps in _FOLDERS:
            root.joinpath(*steps).mkdir(parents=True, exist_ok=True)
        for path, target in links.items():
            root.joinpath(*path).symlink_to(target)
        for path in links:
            assert symlinks.leads_out(path, links) == _visits_outside(root, root.joinpath(*path)), (path, links)
