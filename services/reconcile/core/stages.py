"""In which order a sync writes: waves as declared, and within a wave what others stand on first.

Namespaces and definitions come before what lives in them, configuration before the workloads that read it, and what
intercepts or extends the API server last, when its backend is there. Prunes go the other way.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from decklog.model import objects
from services.reconcile.core import desired


class Stage(IntEnum):
    """Steps of one wave, first to last. Objects of one stage may be written at the same time."""

    NAMESPACES = 0
    DEFINITIONS = 1
    POLICY = 2
    IDENTITY = 3
    CONFIGURATION = 4
    STORAGE = 5
    NETWORK = 6
    WORKLOADS = 7
    OTHER = 8
    EXPOSURE = 9
    INTERCEPTORS = 10


_KINDS: dict[Stage, dict[str, tuple[str, ...]]] = {
    Stage.NAMESPACES: {"": ("Namespace",)},
    Stage.DEFINITIONS: {"apiextensions.k8s.io": ("CustomResourceDefinition",)},
    Stage.POLICY: {
        "": ("ResourceQuota", "LimitRange"),
        "scheduling.k8s.io": ("PriorityClass",),
        "node.k8s.io": ("RuntimeClass",),
        "policy": ("PodDisruptionBudget",),
        "networking.k8s.io": ("NetworkPolicy",),
    },
    Stage.IDENTITY: {
        "": ("ServiceAccount",),
        "rbac.authorization.k8s.io": ("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"),
    },
    Stage.CONFIGURATION: {"": ("Secret", "ConfigMap")},
    Stage.STORAGE: {"": ("PersistentVolume", "PersistentVolumeClaim"), "storage.k8s.io": ("StorageClass",)},
    Stage.NETWORK: {"": ("Service", "Endpoints"), "discovery.k8s.io": ("EndpointSlice",)},
    Stage.WORKLOADS: {
        "": ("Pod", "ReplicationController"),
        "apps": ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
        "batch": ("Job", "CronJob"),
    },
    Stage.EXPOSURE: {
        "autoscaling": ("HorizontalPodAutoscaler",),
        "networking.k8s.io": ("Ingress", "IngressClass"),
    },
    Stage.INTERCEPTORS: {
        "apiregistration.k8s.io": ("APIService",),
        "admissionregistration.k8s.io": (
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
        ),
    },
}
_STAGES = {
    (group, kind): stage for stage, groups in _KINDS.items() for group, kinds in groups.items() for kind in kinds
}


@dataclass(frozen=True, slots=True)
class Step:
    """Objects that may be written at the same time; a sync finishes a step before it starts the next."""

    wave: int
    stage: Stage
    keys: tuple[objects.ObjectKey, ...]


def stage(key: objects.ObjectKey) -> Stage:
    """The stage of an object, by its kind."""
    return _STAGES.get((key.group, key.kind), Stage.OTHER)


def apply_order(wanted: Iterable[desired.DesiredObject]) -> tuple[Step, ...]:
    """The steps in which objects are applied."""
    return _steps({one.key: one.wave for one in wanted})


def prune_order(keys: Iterable[objects.ObjectKey]) -> tuple[Step, ...]:
    """The steps in which objects are deleted: the stages backwards, Namespaces last. Waves went with the manifests."""
    return tuple(reversed(_steps(dict.fromkeys(keys, 0))))


def waits_for(
    wanted: Mapping[objects.ObjectKey, desired.DesiredObject],
    *,
    existing: Collection[objects.ObjectKey],
    served: Collection[objects.Gvk],
) -> dict[objects.ObjectKey, objects.ObjectKey]:
    """Which objects cannot be dry-run yet, and the Namespace or definition of this same set that they wait for.

    Args:
        wanted: the desired set.
        existing: Namespaces that exist in the cluster, by key.
        served: kinds that the cluster serves now.
    """
    definitions = {
        gvk: key
        for key, one in wanted.items()
        if stage(key) is Stage.DEFINITIONS
        for gvk in desired.crd_scopes(one.body)
    }
    waiting: dict[objects.ObjectKey, objects.ObjectKey] = {}
    for key, one in wanted.items():
        namespace = objects.ObjectKey("", "Namespace", "", key.namespace)
        if one.gvk not in served and one.gvk in definitions:
            waiting[key] = definitions[one.gvk]
        elif key.namespace and namespace in wanted and namespace not in existing:
            waiting[key] = namespace
    return waiting


def too_early(
    wanted: Mapping[objects.ObjectKey, desired.DesiredObject], waiting: Mapping[objects.ObjectKey, objects.ObjectKey]
) -> tuple[desired.Problem, ...]:
    """The objects whose wave puts them before what they wait for: a sync of them could never succeed."""
    return tuple(
        desired.Problem(
            "WaveTooEarly",
            f"{key.display} is in wave {wanted[key].wave}, before {awaited.display} in wave {wanted[awaited].wave}",
            wanted[key].file,
            wanted[key].line,
            f"give it a wave of at least {wanted[awaited].wave}",
        )
        for key, awaited in sorted(waiting.items())
        if wanted[key].wave < wanted[awaited].wave
    )


def _steps(waves: Mapping[objects.ObjectKey, int]) -> tuple[Step, ...]:
    groups: dict[tuple[int, Stage], list[objects.ObjectKey]] = {}
    for key in sorted(waves):
        groups.setdefault((waves[key], stage(key)), []).append(key)
    return tuple(Step(wave, of, tuple(keys)) for (wave, of), keys in sorted(groups.items()))
