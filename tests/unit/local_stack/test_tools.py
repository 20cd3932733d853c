"""Finding Java, Maven and a control plane; what is said when there is none."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from deploy.local import control_plane, errors, java, maven, settings

WANTED = settings.read({}, root=Path("/r"), home=Path("/h"), profile=settings.Profile.DEV, state=None)


@pytest.mark.parametrize(
    ("shown", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_392"', 8),
        ("The operation couldn't be completed", None),
    ],
)
def test_javas_version(shown: str, major: int | None) -> None:
    """Old and new notations; macOS' stand-in for a missing Java is no Java."""
    assert java.parse_version(shown) == major


def test_a_project_depends_on_exactly_the_artifacts() -> None:
    """A file with a classifier is taken alone; the others with what they need."""
    text = maven.project([java.Artifact("g", "a", "1"), java.Artifact("g", "b", "2", "exec")])
    depends = ET.fromstring(text).findall(".//{*}dependency")  # noqa: S314 - our own text
    assert [item.findtext("{*}artifactId") for item in depends] == ["a", "b"]
    assert [item.find("{*}exclusions") is not None for item in depends] == [False, True]


def test_the_binary_is_stamped_with_the_version_that_go_mod_requires() -> None:
    """`kubectl version` and discovery read it."""
    version = control_plane.kubernetes_version((control_plane.SOURCES / "go.mod").read_text())
    flags = control_plane.link_flags(version)
    assert f"-X k8s.io/component-base/version.gitVersion={version}" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMinor=36" in flags


def programs(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


def test_kubebuilders_assets_are_used_when_all_five_are_there(tmp_path: Path) -> None:
    """Envtest's usual two are not a cluster in which a Deployment becomes available."""
    wanted = replace(
        WANTED, cache=tmp_path / "no-cache", kubebuilder_assets=programs(tmp_path, ("etcd", "kube-apiserver"))
    )
    assert control_plane.existing(wanted, None) is None
    programs(tmp_path, control_plane.PROGRAMS)
    found = control_plane.existing(wanted, None)
    assert found is not None
    assert found.argv["etcd"] == (str(tmp_path / "etcd"),)


def test_a_built_binary_is_taken_before_everything(tmp_path: Path) -> None:
    """DEV_CLUSTER_BIN wins over programs on PATH."""
    binary = programs(tmp_path, ("dev-cluster",)) / "dev-cluster"
    others = tmp_path / "others"
    others.mkdir()
    programs(others, control_plane.PROGRAMS)
    found = control_plane.existing(replace(WANTED, dev_cluster_bin=binary), str(others))
    assert found is not None
    assert found.argv["kwok"] == (str(binary), "kwok")


def test_a_wrong_binary_is_named(tmp_path: Path) -> None:
    """DEV_CLUSTER_BIN that cannot be run is an error, not a reason to build."""
    with pytest.raises(errors.StackError, match="DEV_CLUSTER_BIN"):
        control_plane.existing(replace(WANTED, dev_cluster_bin=tmp_path / "absent"), None)


def test_without_any_cluster_every_way_out_is_named(tmp_path: Path) -> None:
    """One message: a context, Go, a binary, the five programs."""
    with pytest.raises(errors.Missing) as said:
        control_plane.require(replace(WANTED, cache=tmp_path), str(tmp_path))
    assert all(way in str(said.value) for way in ("CONTEXT=", "Go 1.26", "DEV_CLUSTER_BIN", "KUBEBUILDER_ASSETS"))


def test_with_a_context_nothing_is_missing(tmp_path: Path) -> None:
    """A given cluster needs neither Go nor programs."""
    control_plane.require(replace(WANTED, cache=tmp_path, context="kind"), str(tmp_path))
