"""Reconcile in bad weather: the API server or Kafka away at the start or for a while."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from decklog.adapters.kafka import producer
from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2
from decklog.model import errors
from decklog.ports import stream
from services.reconcile import watches
from tests import reconcile


class Strait:
    """A TCP passage that can be closed: what is in it is lost, and nobody gets through."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._passable = True
        self.port = 0

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Let nobody through, and cut who is under way."""
        self._passable = False
        for writer in list(self._open):
            writer.transport.abort()

    def reopen(self) -> None:
        """Let everybody through again."""
        self._passable = True

    async def close(self) -> None:
        """Stop."""
        self.shut()
        if self._server is not None:
            self._server.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._passable:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._open |= {writer, far_writer}
        await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
        self._open -= {writer, far_writer}


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


def _loaded(kubeconfig: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    return document


class Gate:
    """A producer whose deliveries can be kept from arriving, as when Kafka is away."""

    def __init__(self, inner: stream.Producer) -> None:
        self._inner = inner
        self._open = True

    def shut(self) -> None:
        """Deliver nothing."""
        self._open = False

    def reopen(self) -> None:
        """Deliver again."""
        self._open = True

    async def send(self, message: stream.Message) -> stream.Coordinates:
        """One message."""
        (place,) = await self.send_all([message])
        return place

    async def send_all(self, messages: Iterable[stream.Message]) -> Sequence[stream.Coordinates]:
        """Several messages."""
        if not self._open:
            raise errors.Transient("Kafka is away", where="test")
        return await self._inner.send_all(messages)

    async def close(self) -> None:
        """Disconnect."""
        await self._inner.close()


@pytest.fixture
async def strait(kubeconfig: Path, tmp_path: Path) -> AsyncIterator[tuple[Strait, Path]]:
    """A strait before the API server, and the kubeconfig that leads through it."""
    document = await asyncio.to_thread(_loaded, Path(kubeconfig))
    server = document["clusters"][0]["cluster"]["server"]
    host, _, port = server.removeprefix("https://").partition(":")
    made = Strait(host, int(port))
    await made.start()
    document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{made.port}"
    through = tmp_path / "through"
    await asyncio.to_thread(through.write_bytes, orjson.dumps(document))
    yield made, through
    await made.close()


@pytest.fixture
async def bench(
    kafka_bootstrap: str, topic_prefix: str, strait: tuple[Strait, Path], tmp_path: Path
) -> AsyncIterator[reconcile.Bench]:
    """The usual one, but for its way to the API server, which leads through the strait."""
    made = reconcile.Bench(kafka_bootstrap, topic_prefix, strait[1], tmp_path)
    await made.start()
    yield made
    await made.close()


@pytest.mark.timeout(180)
async def test_an_api_server_that_goes_away_leaves_nothing_in_sync(
    bench: reconcile.Bench,
    kubectl: reconcile.Kubectl,
    strait: tuple[Strait, Path],
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lost watch makes verdicts unknown after a bound; when it is back, what happened meanwhile is healed."""
    monkeypatch.setattr(watches, "BLIND_AFTER", 1.5)
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        strait[0].shut()
        (blind,) = await bench.until(drift_pb2.DriftObserved)
        await bench.until(
            apply_pb2.HealthChanged,
            lambda one: one.after == apply_pb2.HEALTH_UNKNOWN and not one.HasField("object"),
        )
        assert "cluster dev" in bench.status
        path = f"/api/v1/namespaces/{namespace}/configmaps/a"
        await kubectl.request("PATCH", path, {"data": {"colour": "blue"}})
        strait[0].reopen()
        await bench.until(drift_pb2.DriftObserved, lambda one: one.phase == drift_pb2.DRIFT_PHASE_RESOLVED)
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
        assert "cluster dev" not in bench.status
    assert (blind.verdict, blind.failure.reason) == (drift_pb2.VERDICT_UNKNOWN, "Unavailable")
    assert (await kubectl.config_map(namespace, "a"))["data"] == {"colour": "red"}


@pytest.mark.timeout(180)
async def test_an_api_server_that_is_away_at_the_start(
    bench: reconcile.Bench,
    kubectl: reconcile.Kubectl,
    strait: tuple[Strait, Path],
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A member that starts without the API server says what it no longer knows, waits, and goes on when it is back."""
    monkeypatch.setattr(watches, "BLIND_AFTER", 1.0)
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
    strait[0].shut()
    async with bench.member():
        (blind,) = await bench.until(drift_pb2.DriftObserved)
        assert {"cluster dev", "application dev/web"} <= bench.status.keys()
        assert "application dev/web" not in bench.recovered, "it is in trouble while it tries again, too"
        await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "blue"})})
        strait[0].reopen()
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
        await bench.until(drift_pb2.DriftObserved, lambda one: one.phase == drift_pb2.DRIFT_PHASE_RESOLVED)
        assert "cluster dev" not in bench.status
    assert blind.verdict == drift_pb2.VERDICT_UNKNOWN
    assert (await kubectl.config_map(namespace, "a"))["data"] == {"colour": "blue"}


@pytest.mark.timeout(180)
async def test_kafka_away_for_a_while(
    kafka_bootstrap: str,
    topic_prefix: str,
    kubeconfig: Path,
    kubectl: reconcile.Kubectl,
    namespace: str,
    tmp_path: Path,
) -> None:
    """While Kafka is away nothing is healed, since it could not be told; afterwards it is told first, then healed."""
    bench = reconcile.Bench(kafka_bootstrap, topic_prefix, Path(kubeconfig), tmp_path)
    await bench.start()
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    gate = Gate(producer.KafkaProducer(bench.connection))
    async with bench.member(sender=gate):
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        await asyncio.sleep(1)
        gate.shut()
        path = f"/api/v1/namespaces/{namespace}/configmaps/a"
        await kubectl.request("PATCH", path, {"data": {"colour": "blue"}})
        await asyncio.sleep(3)
        assert (await kubectl.config_map(namespace, "a"))["data"] == {"colour": "blue"}
        gate.reopen()
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
    assert (await kubectl.config_map(namespace, "a"))["data"] == {"colour": "red"}
    await bench.close()
