"""The desired set: what a commit's rendered objects mean for one application in one cluster.

Everything that is wrong with them is collected and reported together, each with its file and line, so that one commit
can mend it all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from decklog.model import digest, manifest, masking, objects
from services.reconcile.core import normalise

# Set by the API server: in a manifest they are leftovers of an export, and some of them are refused there.
SERVER_SET_METADATA = (
    "managedFields",
    "resourceVersion",
    "uid",
    "generation",
    "creationTimestamp",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)

_TRUE = "true"


@dataclass(frozen=True, slots=True)
class Owner:
    """On whose behalf objects are managed."""

    installation: str
    application: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredObject:
    """One object as it is to be applied, tracking annotation included. Never masked: only its digest is recorded.

    Attributes:
        digest: of the normalised, masked body; one half of the verdict cache's key.
        file, line: where it was written; line 0 is unknown.
        wave: from the wave annotation; lower is applied earlier.
    """

    key: objects.ObjectKey
    gvk: objects.Gvk
    body: objects.KubeObject
    digest: str
    file: str
    line: int
    wave: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that keeps a commit from being applied. `reason` is a stable word, the rest is for people."""

    reason: str
    message: str
    file: str
    line: int
    hint: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}; {self.hint}"


class DesiredError(Exception):
    """The rendered objects do not make a desired set. Terminal until another commit."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class DesiredSet:
    """What is wanted, by key; and what was rendered but is to be left alone, by its ignore annotation."""

    members: Mapping[objects.ObjectKey, DesiredObject]
    ignored: tuple[objects.ObjectKey, ...] = ()


def build(
    rendered: Iterable[manifest.Manifest],
    *,
    scopes: Mapping[objects.Gvk, bool],
    default_namespace: str,
    owner: Owner,
    mask: masking.Masking,
) -> DesiredSet:
    """The desired set of an application.

    Args:
        rendered: what the renderer returned.
        scopes: the kinds that the cluster serves, and whether each is namespaced. Kinds that the set's own
            CustomResourceDefinitions bring are added here.
        default_namespace: for namespaced objects that name none.
        owner: written into the tracking annotation.
        mask: how the digests' bodies are masked.

    Raises:
        DesiredError: an object twice, an unknown kind, or an annotation of ours that cannot be read.
    """
    manifests = tuple(rendered)
    known = {**_scopes_of_crds(manifests), **scopes}
    wanted: dict[objects.ObjectKey, DesiredObject] = {}
    ignored: list[objects.ObjectKey] = []
    problems: list[Problem] = []
    for one in manifests:
        placed = _place(one, known, default_namespace)
        if isinstance(placed, Problem):
            problems.append(placed)
            continue
        key = objects.key(placed)
        if objects.annotations(placed).get(objects.IGNORE_ANNOTATION) == _TRUE:
            ignored.append(key)
        elif key in wanted:
            problems.append(_duplicate(wanted[key], one))
        elif (wave := _wave(placed)) is None:
            problems.append(_bad_wave(placed, one))
        else:
            wanted[key] = _desired(placed, one, wave, owner, mask)
    if problems:
        raise DesiredError(tuple(problems))
    return DesiredSet(wanted, tuple(sorted(ignored)))


def strip(obj: objects.KubeObject) -> objects.KubeObject:
    """The object without what only the API server sets, and without annotations and labels that are null."""
    meta = {name: value for name, value in objects.metadata(obj).items() if name not in SERVER_SET_METADATA}
    for part in ("annotations", "labels"):
        if isinstance(meta.get(part), dict):
            meta[part] = {name: text for name, text in meta[part].items() if text is not None}
    return {**{name: value for name, value in obj.items() if name != "status"}, "metadata": meta}


def _scopes_of_crds(manifests: tuple[manifest.Manifest, ...]) -> dict[objects.Gvk, bool]:
    found: dict[objects.Gvk, bool] = {}
    for one in manifests:
        if objects.gvk(one.object).kind == "CustomResourceDefinition":
            found.update(crd_scopes(one.object))
    return found


def crd_scopes(crd: objects.KubeObject) -> dict[objects.Gvk, bool]:
    """The kinds that a CustomResourceDefinition brings, and whether each is namespaced; odd fields bring none."""
    spec = crd.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    versions = spec.get("versions") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(names, dict) or not isinstance(versions, list):
        return {}
    group, kind = str(spec.get("group", "")), str(names.get("kind", ""))
    namespaced = spec.get("scope") == "Namespaced"
    served = [str(one.get("name", "")) for one in versions if isinstance(one, dict) and one.get("served", False)]
    return {objects.Gvk(group, version, kind): namespaced for version in served}


def _place(
    one: manifest.Manifest, scopes: Mapping[objects.Gvk, bool], default_namespace: str
) -> objects.KubeObject | Problem:
    """The object, stripped, in the namespace it belongs to."""
    gvk = objects.gvk(one.object)
    if gvk not in scopes:
        return _unknown_kind(one, gvk, scopes)
    body = strip(one.object)
    meta: dict[str, Any] = body["metadata"]
    bare = {name: value for name, value in meta.items() if name != "namespace"}
    if not scopes[gvk]:
        return {**body, "metadata": bare}
    return {**body, "metadata": {**bare, "namespace": meta.get("namespace") or default_namespace}}


def _unknown_kind(one: manifest.Manifest, gvk: objects.Gvk, scopes: Mapping[objects.Gvk, bool]) -> Problem:
    others = sorted(known.api_version for known in scopes if (known.group, known.kind) == (gvk.group, gvk.kind))
    elsewhere = sorted(known.api_version for known in scopes if known.kind == gvk.kind)
    if others or elsewhere:
        hint = f"it serves {gvk.kind} as {', '.join(others or elsewhere)}: change apiVersion"
    else:
        hint = "check the spelling, or add the CustomResourceDefinition that brings it, here or in another application"
    return Problem("UnknownKind", f"the cluster does not serve {gvk.api_version} {gvk.kind}", one.file, one.line, hint)


def _duplicate(first: DesiredObject, second: manifest.Manifest) -> Problem:
    before = f"{first.file}:{first.line}" if first.line else first.file
    message = f"{first.key.display} is declared twice, first at {before}"
    return Problem("DuplicateObject", message, second.file, second.line, "remove one of the two")


def _wave(obj: objects.KubeObject) -> int | None:
    text = objects.annotations(obj).get(objects.WAVE_ANNOTATION, "0")
    try:
        return int(text)
    except ValueError:
        return None


def _bad_wave(obj: objects.KubeObject, one: manifest.Manifest) -> Problem:
    text = objects.annotations(obj)[objects.WAVE_ANNOTATION]
    message = f"the annotation {objects.WAVE_ANNOTATION} of {objects.key(obj).display} is {text!r}"
    return Problem("BadWave", message, one.file, one.line, 'write a whole number in quotes, such as "1"')


def _desired(
    obj: objects.KubeObject, one: manifest.Manifest, wave: int, owner: Owner, mask: masking.Masking
) -> DesiredObject:
    key = objects.key(obj)
    tracking = objects.Tracking(owner.installation, owner.application, key)
    body = objects.with_annotation(normalise.to_apply(obj), objects.TRACKING_ANNOTATION, str(tracking))
    return DesiredObject(
        key=key,
        gvk=objects.gvk(obj),
        body=body,
        digest=digest.of(mask(normalise.desired(body))),
        file=one.file,
        line=one.line,
        wave=wave,
    )
