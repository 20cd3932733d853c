"""The closed sets of words that flags take, spelled as in a declaration (`decklog.model.declaration` decides them)."""

import enum


class Mode(enum.StrEnum):
    """What is done about a difference between Git and the cluster."""

    OFF = "off"
    DETECT = "detect"
    APPLY = "apply"
    HEAL = "heal"


class Renderer(enum.StrEnum):
    """How manifests are made of files."""

    PLAIN = "plain"
    KUSTOMIZE = "kustomize"


class Conflicts(enum.StrEnum):
    """What happens to a field that another manager owns."""

    FORCE = "force"
    FAIL = "fail"


class OnDelete(enum.StrEnum):
    """What becomes of the objects when the declaration is removed."""

    KEEP = "keep"
    PRUNE = "prune"


class Record(enum.StrEnum):
    """How far a command is followed that leads to no sync of its own."""

    RECORDED = "recorded"


class Wait(enum.StrEnum):
    """How far a command is followed."""

    RECORDED = "recorded"
    SYNCED = "synced"
    HEALTHY = "healthy"
