"""Plain rendering: every YAML and JSON file below a folder, as it is."""

from pathlib import Path

from decklog.model import manifest, sizes
from services.reconcile.render import trees
from services.reconcile.render.answer import Rendered
from services.reconcile.render.failure import RenderFailure
from services.reconcile.render.limits import RenderLimits

# Raised whenever the same tree would give other objects.
VERSION = "1"


def render(tree: trees.Tree, target: Path, limits: RenderLimits) -> Rendered:
    """The objects of a folder, files in the order of their paths; or of one file.

    Raises:
        RenderFailure: a file cannot be read, a limit was passed, or a link leads out.
    """
    found: list[manifest.Manifest] = []
    warnings: list[str] = []
    links = {tree.name(target)}
    size = 0
    for number, path in enumerate(_files(tree, target), start=1):
        if number > limits.files:
            raise RenderFailure("TooManyFiles", f"more than {limits.files} files", hint="split the application")
        raw = tree.read(path, limits.file)
        size += len(raw)
        if size > limits.total:
            raise RenderFailure(
                "TreeTooLarge", f"more than {sizes.shown(limits.total)} in all", hint="split the application"
            )
        loaded = load(raw, tree.name(path))
        found.extend(loaded.manifests)
        if len(found) > limits.objects:
            raise RenderFailure("TooManyObjects", f"more than {limits.objects} objects", hint="split the application")
        warnings.extend(f"{one.file}:{one.line}: {one.message}" for one in loaded.warnings)
        links.add(tree.name(path.resolve()))
    inputs = _outermost(links)
    return Rendered(
        manifests=tuple(found), input_paths=inputs, renderer="plain", version=VERSION, warnings=tuple(warnings)
    )


def load(raw: bytes, file: str) -> manifest.Loaded:
    """The objects of one file.

    Raises:
        RenderFailure: it cannot be read.
    """
    try:
        return manifest.load(raw, file)
    except manifest.ManifestError as error:
        if Path(file).name == "Chart.yaml":
            raise RenderFailure(
                "HelmChart",
                "the folder is a Helm chart, which is not rendered here",
                file=file,
                hint="commit what `helm template` makes of it",
            ) from error
        reason = "InvalidJson" if file.endswith(".json") else "InvalidYaml"
        raise RenderFailure(reason, error.problem, file=error.file, line=error.line, hint=error.hint) from error


def _files(tree: trees.Tree, target: Path) -> list[Path]:
    return list(trees.manifests(tree, target)) if target.is_dir() else [target]


def _outermost(names: set[str]) -> tuple[str, ...]:
    """The names without those that lie below another of them."""
    kept = [name for name in names if not any(_below(name, other) for other in names)]
    return tuple(sorted(kept))


def _below(name: str, folder: str) -> bool:
    return name != folder and (not folder or name.startswith(f"{folder}/"))
