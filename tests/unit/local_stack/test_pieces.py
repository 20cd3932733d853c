"""Small decisions of the local stack: backoff, configuration, what progress says, who may reach a folder."""

from pathlib import Path

import pytest

from deploy.local import accounts, cluster, kafka, keeper, postgres, progress


def test_restarts_slow_down_and_stay_slow() -> None:
    """The pauses never shrink and end at half a minute."""
    pauses = [keeper.pause_before_restart(crashes) for crashes in range(1, 20)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.5, 30.0)


def test_kafka_listens_on_loopback_and_creates_no_topic_by_itself() -> None:
    """A topic that a typing error creates would look like lost events."""
    text = kafka.server_properties(Path("/d"), 21000, 21001)
    assert "listeners=PLAINTEXT://127.0.0.1:21000,CONTROLLER://127.0.0.1:21001" in text
    assert "auto.create.topics.enable=false" in text


def test_only_a_test_database_skips_fsync() -> None:
    """The dev stack keeps what it said it kept."""
    durable = postgres.configuration(port=21000, sockets=Path("/s"), durable=True)
    assert "fsync" not in durable
    assert "fsync = 'off'" in postgres.configuration(port=21000, sockets=Path("/s"), durable=False)
    assert "listen_addresses = '127.0.0.1'" in durable


def test_no_server_of_the_cluster_listens_beyond_loopback() -> None:
    """Etcd has no TCP address at all, kwok's node port stays shut."""
    socket = Path("/run/etcd")
    assert "--bind-address=127.0.0.1" in cluster.apiserver_arguments(Path("/c"), socket, 21000)
    assert "--listen-client-urls=unix:///run/etcd" in cluster.etcd_arguments(Path("/d"), socket)
    assert "--node-port=0" in cluster.kwok_arguments(Path("/stages.yaml"))


@pytest.mark.parametrize(("seconds", "shown"), [(0.84, "0.8 s"), (42, "42 s"), (95, "1 min 35 s"), (420, "7 min 00 s")])
def test_durations_are_read_at_a_glance(seconds: float, shown: str) -> None:
    """Tenths only where they matter."""
    assert progress.duration(seconds) == shown


@pytest.mark.parametrize(
    ("conditions", "taints", "takes"),
    [
        ([{"type": "Ready", "status": "True"}], [], True),
        ([{"type": "Ready", "status": "True"}], ["x"], False),
        ([], [], False),
    ],
)
def test_a_node_takes_pods_when_ready_and_untainted(conditions: list, taints: list, takes: bool) -> None:
    """A fresh Node carries a not-ready taint for a moment after its status says Ready."""
    assert cluster.takes_pods({"spec": {"taints": taints}, "status": {"conditions": conditions}}) is takes


def test_a_folder_behind_a_private_one_cannot_be_reached(tmp_path: Path) -> None:
    """Then PostgreSQL, run as another user, gets a place outside."""
    inside = tmp_path / "private" / "open"
    inside.mkdir(parents=True)
    (tmp_path / "private").chmod(0o700)
    assert not accounts.is_open_to_all(inside)
    assert accounts.is_open_to_all(Path("/"))
