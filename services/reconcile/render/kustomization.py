"""Kustomization files, read before Kustomize does: what they reach for, and what is refused.

Kustomize fetches what it does not find: a resource that is no file becomes a `git fetch`, a patch with a URL an HTTP
request. So every reference is looked up in the tree first, and nothing is run unless all of them are there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from decklog.model import manifest, sizes, source_text, yaml_text
from services.reconcile.render import trees
from services.reconcile.render.failure import RenderFailure
from services.reconcile.render.limits import RenderLimits

# Fields whose entries are files or folders; an entry of several lines is a document of its own.
_ENTRIES = (
    "resources",
    "bases",
    "components",
    "crds",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "patchesStrategicMerge",
)
_WITH_PATH = ("patches", "patchesJson6902", "replacements")
_GENERATORS = ("configMapGenerator", "secretGenerator")
_REFUSED = {
    "helmCharts": "charts are fetched from the network",
    "helmChartInflationGenerator": "charts are fetched from the network",
    "helmGlobals": "charts are fetched from the network",
}
_REMOTE_SIGNS = ("://", "git@", "github.com/", "gitlab.com/", "bitbucket.org/", "git::", "?ref=", ".git//")


@dataclass(slots=True)
class Closure:
    """What a kustomization reaches: its folders, in the order of discovery, and the files it names."""

    folders: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Reference:
    """One file or folder that a kustomization names, and the line to blame."""

    text: str
    line: int


def close(tree: trees.Tree, folder: Path, limits: RenderLimits) -> Closure:
    """Everything that the kustomization of a folder reaches, bases and components included.

    Raises:
        RenderFailure: a reference is remote, is not there, leads out of the tree, or needs a plugin; a file is too
            large or no YAML; a base includes itself.
    """
    closure = Closure()
    _enter(tree, folder, closure, limits, ())
    return closure


def _enter(tree: trees.Tree, folder: Path, closure: Closure, limits: RenderLimits, above: tuple[Path, ...]) -> None:
    real = folder.resolve()
    if real in above:
        raise RenderFailure(
            "KustomizeCycle", "the kustomization includes itself", file=tree.name(folder), hint="break the circle"
        )
    if real in closure.folders:
        return
    closure.folders.append(real)
    file = trees.kustomization(folder)
    if file is None:
        names = ", ".join(trees.KUSTOMIZATION_NAMES)
        raise RenderFailure(
            "NotAKustomization",
            f"the folder has none of {names}",
            file=tree.name(folder),
            hint="add one, or name its files",
        )
    closure.files.append(file)
    document = _document(tree, file, closure, limits)
    for reference in _references(document.value, file, tree, document.line):
        _follow(tree, file, reference, closure, limits, (*above, real))


def _follow(
    tree: trees.Tree, file: Path, reference: Reference, closure: Closure, limits: RenderLimits, above: tuple[Path, ...]
) -> None:
    target = file.parent / reference.text
    if not _exists(target):
        raise _unreachable(tree, file, reference)
    tree.inside(target)
    if target.is_dir():
        _enter(tree, Path(target.resolve()), closure, limits, above)
        return
    if target.resolve() in closure.files:
        return
    closure.files.append(target.resolve())
    closure.size += len(tree.read(target, limits.file))
    if closure.size > limits.total:
        raise RenderFailure(
            "TreeTooLarge", f"more than {sizes.shown(limits.total)} in all", hint="split the application"
        )


def _document(tree: trees.Tree, file: Path, closure: Closure, limits: RenderLimits) -> source_text.Node:
    raw = tree.read(file, limits.file)
    closure.size += len(raw)
    name = tree.name(file)
    try:
        documents, _ = yaml_text.read(raw.decode(), name, manifest.Limits())
    except manifest.ManifestError as error:
        raise RenderFailure("InvalidYaml", error.problem, file=name, line=error.line, hint=error.hint) from error
    except UnicodeDecodeError as error:
        raise RenderFailure("InvalidYaml", "it is no UTF-8", file=name, hint="save the file as UTF-8") from error
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise RenderFailure(
            "InvalidKustomization", "it is not one mapping", file=name, hint="write one kustomization a file"
        )
    return documents[0]


def _references(body: dict[str, Any], file: Path, tree: trees.Tree, line: int) -> Iterator[Reference]:
    for name, why in _REFUSED.items():
        if body.get(name):
            raise RenderFailure(
                "PluginRefused",
                f"{name} is refused: {why}",
                file=tree.name(file),
                line=line,
                hint="commit the rendered chart, or use its files",
            )
    lines = file.read_text().splitlines()
    for text in _texts(body):
        if "\n" not in text:
            yield Reference(text, next((number for number, one in enumerate(lines, start=1) if text in one), line))


def _texts(body: dict[str, Any]) -> Iterator[str]:
    for name in _ENTRIES:
        yield from _strings(body.get(name))
    for name in _WITH_PATH:
        yield from _strings([one.get("path") for one in _mappings(body.get(name))])
    for name in _GENERATORS:
        for one in _mappings(body.get(name)):
            yield from (text.partition("=")[2] or text for text in _strings(one.get("files")))
            yield from _strings(one.get("envs"))
            yield from _strings([one.get("env")])
    yield from _strings([one.get("path") for one in _mappings([body.get("openapi")])])


def _strings(value: Any) -> Iterator[str]:
    yield from (one for one in value if isinstance(one, str) and one) if isinstance(value, list) else ()


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    yield from (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _exists(target: Path) -> bool:
    try:
        return target.exists() or target.is_symlink()
    except OSError:
        return False  # a name no file system takes: remote, or a mistake


def _unreachable(tree: trees.Tree, file: Path, reference: Reference) -> RenderFailure:
    place = tree.name(file)
    if any(sign in reference.text for sign in _REMOTE_SIGNS):
        return RenderFailure(
            "RemoteBaseRefused",
            f"{_without_userinfo(reference.text)} is not in the repository",
            file=place,
            line=reference.line,
            hint="vendor it: what is applied must be what was committed",
        )
    return RenderFailure(
        "FileNotFound",
        f"{reference.text} does not exist",
        file=place,
        line=reference.line,
        hint="add the file, or remove the entry",
    )


def _without_userinfo(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if separator else text
