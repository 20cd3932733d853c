"""Kubernetes objects as the API server speaks them, and how one is named.

An object is a plain `dict` of JSON values: parsing it into classes would lose fields that a newer API server knows.
This module names objects, reads their metadata without trusting their shape, and marks them as managed by us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

KubeObject = dict[str, Any]

DOMAIN = "decklog.dev"
TRACKING_ANNOTATION = f"{DOMAIN}/tracking"
IGNORE_ANNOTATION = f"{DOMAIN}/ignore"
PRUNE_ANNOTATION = f"{DOMAIN}/prune"
WAVE_ANNOTATION = f"{DOMAIN}/wave"
CONFLICTS_ANNOTATION = f"{DOMAIN}/conflicts"


@dataclass(frozen=True, slots=True, order=True)
class Gvk:
    """Group, version and kind; the core group is the empty text."""

    group: str
    version: str
    kind: str

    @classmethod
    def of(cls, api_version: str, kind: str) -> Self:
        """From the two fields that every object carries: `apps/v1` and `Deployment`."""
        group, _, version = api_version.rpartition("/")
        return cls(group, version, kind)

    @property
    def api_version(self) -> str:
        """As an object's `apiVersion` field spells it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}"


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """An object's permanent name in one cluster. The version is left out: it is only how the object is read."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`apps/Deployment/shop/web`; the core group and a cluster scope are empty: `/Namespace//shop`."""
        return f"{self.group}/{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The opposite of `str`. Exact, because Kubernetes allows `/` in none of the four parts.

        Raises:
            ValueError: not four parts, or no kind or name among them.
        """
        parts = text.split("/")
        if len(parts) != 4 or not parts[1] or not parts[3]:
            raise ValueError(
                f"{text!r} is not an object key: write group/kind/namespace/name, such as apps/Deployment/shop/web"
            )
        return cls(*parts)

    @property
    def display(self) -> str:
        """For people, as kubectl would say it: `Deployment.apps shop/web`, `Namespace shop`."""
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Tracking:
    """Who manages an object: the value of its tracking annotation.

    It repeats the object's own key, so that an object somebody copied, annotations and all, is known to be a copy.
    """

    installation: str
    application: str
    key: ObjectKey

    def __str__(self) -> str:
        return f"{self.installation}/{self.application}:{self.key}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The opposite of `str`.

        Raises:
            ValueError: the text is not one of ours.
        """
        owner, colon, key = text.partition(":")
        installation, slash, application = owner.partition("/")
        if not (colon and slash and installation and application):
            raise ValueError(f"{text!r} is not a tracking annotation: expected installation/application:object key")
        return cls(installation, application, ObjectKey.parse(key))


def gvk(obj: KubeObject) -> Gvk:
    """An object's group, version and kind; absent or odd fields read as empty."""
    return Gvk.of(_text(obj.get("apiVersion")), _text(obj.get("kind")))


def key(obj: KubeObject) -> ObjectKey:
    """An object's key as its own fields tell it; absent or odd fields read as empty."""
    meta, kind = metadata(obj), gvk(obj)
    return ObjectKey(kind.group, kind.kind, _text(meta.get("namespace")), _text(meta.get("name")))


def metadata(obj: KubeObject) -> dict[str, Any]:
    """An object's metadata, or an empty mapping when it has none worth the name."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def annotations(obj: KubeObject) -> Mapping[str, str]:
    """The annotations whose values are text, as the API server demands."""
    return _texts(metadata(obj).get("annotations"))


def labels(obj: KubeObject) -> Mapping[str, str]:
    """The labels whose values are text, as the API server demands."""
    return _texts(metadata(obj).get("labels"))


def uid(obj: KubeObject) -> str:
    """The API server's name for this incarnation of the object; empty before it was created."""
    return _text(metadata(obj).get("uid"))


def resource_version(obj: KubeObject) -> str:
    """The version of the object at which it was read; empty before it was created."""
    return _text(metadata(obj).get("resourceVersion"))


def is_terminating(obj: KubeObject) -> bool:
    """Whether it is being deleted and only its finalizers, or what is in it, keep it."""
    return bool(metadata(obj).get("deletionTimestamp"))


def tracking(obj: KubeObject) -> Tracking | None:
    """Who manages the object, or None when it carries no tracking annotation that can be read."""
    text = annotations(obj).get(TRACKING_ANNOTATION)
    if text is None:
        return None
    try:
        return Tracking.parse(text)
    except ValueError:
        return None  # somebody else's text under our name claims nothing


def with_annotation(obj: KubeObject, name: str, value: str) -> KubeObject:
    """A copy of the object that carries the annotation; the original is untouched."""
    meta = metadata(obj)
    present = meta.get("annotations")
    merged = {**(present if isinstance(present, dict) else {}), name: value}
    return {**obj, "metadata": {**meta, "annotations": merged}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {name: text for name, text in value.items() if isinstance(text, str)}
