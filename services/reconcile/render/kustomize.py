"""Kustomize rendering: `kubectl kustomize`, once it is known that everything it will read is in the tree."""

import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson

from decklog.model import manifest, objects, yaml_text
from services.reconcile.render import kustomization, plain, secrets, trees
from services.reconcile.render.answer import Rendered
from services.reconcile.render.failure import RenderFailure
from services.reconcile.render.limits import RenderLimits

_Declared = dict[objects.Gvk, dict[str, list[manifest.Manifest]]]

_YAML = (".yaml", ".yml", ".json")
_OUT_OF_MEMORY = ("out of memory", "cannot allocate memory")


def render(tree: trees.Tree, folder: Path, kubectl: str, limits: RenderLimits) -> Rendered:
    """The objects that a folder's kustomization builds.

    Raises:
        RenderFailure: it reaches out of the tree, Kustomize refuses it, or a limit was passed.
    """
    closure = kustomization.close(tree, folder, limits)
    declared = _declared(tree, closure)
    built = _build(tree, folder, kubectl, closure)
    name = tree.name(folder)
    loaded = plain.load(built, f"{name}/kustomization.yaml".lstrip("/"))
    if len(loaded.manifests) > limits.objects:
        raise RenderFailure("TooManyObjects", f"more than {limits.objects} objects", hint="split the application")
    return Rendered(
        manifests=tuple(_attributed(one, declared) for one in loaded.manifests),
        input_paths=tuple(sorted({tree.name(path) for path in (*closure.folders, *closure.files)})),
        renderer="kustomize",
        version=version(kubectl),
    )


@functools.cache
def version(kubectl: str) -> str:
    """The version of the Kustomize that `kubectl` carries, and its own."""
    told = subprocess.run([kubectl, "version", "--client", "-o", "json"], capture_output=True, check=True)
    found = orjson.loads(told.stdout)
    return f"{found['kustomizeVersion']} (kubectl {found['clientVersion']['gitVersion']})"


def _build(tree: trees.Tree, folder: Path, kubectl: str, closure: kustomization.Closure) -> bytes:
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, check=False)
    if done.returncode == 0:
        return done.stdout
    told = done.stderr.decode("utf-8", "replace")
    if any(sign in told for sign in _OUT_OF_MEMORY):
        raise RenderFailure("MemoryLimit", "Kustomize needs more memory than it may use", hint="split the application")
    failure = _malformed(tree, closure, told) or RenderFailure(
        "KustomizeFailed",
        told.replace(f"{tree.root}/", "").replace(str(tree.root), ".").removeprefix("error: ").strip()
        or "it gave no reason",
        file=tree.name(trees.kustomization(folder) or folder),
        hint="run `kubectl kustomize` in that folder",
    )
    failure.secrets = secrets.known(closure.files)
    raise failure


def _malformed(tree: trees.Tree, closure: kustomization.Closure, told: str) -> RenderFailure | None:
    """The file that Kustomize complains of, if it is no YAML: its own words count lines within a document."""
    for path in closure.files:
        if path.suffix in _YAML and path.name in told:
            try:
                yaml_text.read(path.read_bytes().decode(), tree.name(path), manifest.Limits())
            except manifest.ManifestError as error:
                return RenderFailure("InvalidYaml", error.problem, file=error.file, line=error.line, hint=error.hint)
            except UnicodeDecodeError:
                return RenderFailure("InvalidYaml", "it is no UTF-8", file=tree.name(path), hint="save it as UTF-8")
    return None


def _declared(tree: trees.Tree, closure: kustomization.Closure) -> _Declared:
    """The objects of the files that a kustomization names, by kind: the places to blame for what it builds."""
    found: _Declared = {}
    for path in closure.files:
        for one in _readable(tree, path):
            found.setdefault(objects.gvk(one.object), {}).setdefault(objects.key(one.object).name, []).append(one)
    return found


def _readable(tree: trees.Tree, path: Path) -> Iterator[manifest.Manifest]:
    if path.suffix not in _YAML or path.name in trees.KUSTOMIZATION_NAMES:
        return
    try:
        yield from manifest.load(path.read_bytes(), tree.name(path)).manifests
    except manifest.ManifestError:
        return  # a patch or a configuration file: Kustomize knows what it is


def _attributed(one: manifest.Manifest, declared: _Declared) -> manifest.Manifest:
    """The object with the file and line that declare it, where one alone does; Kustomize may have renamed it."""
    named = declared.get(objects.gvk(one.object), {})
    name = objects.key(one.object).name
    alike = named.get(name) or [found for part, all_so in named.items() if part in name for found in all_so]
    if len(alike) != 1:
        return manifest.Manifest(one.object, one.file, 0)
    return manifest.Manifest(one.object, alike[0].file, alike[0].line)
