"""The real parts: adapters made from settings."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import yaml

from decklog.adapters import system
from decklog.adapters.git import mirrors
from decklog.adapters.kafka import admin, connection, membership, producer, reader
from decklog.adapters.kubernetes import account
from decklog.adapters.kubernetes import cluster as kubernetes
from decklog.model import errors, masking, topics
from decklog.ports import cluster
from decklog.runtime import http, ops, process, settings
from services.reconcile import clusters, fence
from services.reconcile.parts import Parts
from services.reconcile.render import renderer
from services.reconcile.service import Reconcile
from services.reconcile.settings import ReconcileSettings

GROUP = "reconcile"


def make(told: settings.ServiceSettings) -> process.Serve:
    """The service, ready to run. Raises Terminal for what is missing or not private."""
    if not isinstance(told, ReconcileSettings):
        raise errors.Terminal("these are not reconcile's settings", where="services.reconcile")
    mask = masking_of(told)
    readiness = ops.Readiness("kafka", "fleet", "group")
    bound = http.bind(told.ops_host, told.ops_port)

    async def serve(stop: asyncio.Event) -> None:
        with _own(told.state_dir) as instance:
            async with (
                renderer.Renderer(
                    mask, workers=told.render_workers, scratch=_emptied(told.state_dir / "renders")
                ) as renders,
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(http.serve(ops.application("reconcile", readiness), bound, stop=stop), name="ops")
                parts = _parts(told, mask, renders, instance, readiness)
                tasks.create_task(Reconcile(parts).serve(stop), name="reconcile")

    return serve


def masking_of(told: ReconcileSettings) -> masking.Masking:
    """How this installation masks. Raises Terminal for a key or rules that cannot be read."""
    try:
        key = masking.MaskingKey(settings.read_key(told.masking_key_file))
    except ValueError as error:
        raise errors.Terminal(str(error), where=str(told.masking_key_file)) from error
    return masking.Masking(key, _masking_rules(told.masking_rules_file))


def _masking_rules(file: Path | None) -> masking.MaskingRules:
    if file is None:
        return masking.DEFAULT_RULES
    try:
        return masking.DEFAULT_RULES.extended(*masking.declared(yaml.safe_load(file.read_text())))
    except (OSError, ValueError, yaml.YAMLError) as error:
        hint = "Correct DECKLOG_MASKING_RULES_FILE; nothing is recorded with fewer rules than are declared"
        raise errors.Terminal(f"the masking rules cannot be read: {error}", where=str(file), hint=hint) from error


def _parts(
    told: ReconcileSettings, mask: masking.Masking, renders: renderer.Renderer, instance: str, readiness: ops.Readiness
) -> Parts:
    kafka = connection.Connection(bootstrap=told.kafka, client_id="decklog-reconcile")
    time = system.SystemClock()
    belonging = membership.KafkaMembership(
        kafka,
        group=f"{told.topic_prefix}.{GROUP}",
        topic=topics.CONTROL.name(told.topic_prefix),
        instance=instance,
        session_timeout=told.session_seconds,
        heartbeat_interval=told.heartbeat_seconds,
    )
    lease = fence.Lease(belonging, time, write_seconds=told.request_seconds)
    return Parts(
        prefix=told.topic_prefix,
        member=str(uuid.uuid4()),
        producer=producer.KafkaProducer(kafka, may_send=lease.holds),
        new_reader=lambda: reader.KafkaReader(kafka),
        membership=belonging,
        topics=admin.KafkaTopics(kafka),
        connect=_connect(told, clusters.patiently(time), lease),
        mirrors=mirrors.GitMirrors(told.state_dir / "mirrors", credentials_folder=told.credentials_dir),
        render=renders.render,
        mask=mask,
        write_seconds=told.request_seconds,
        scratch=_emptied(told.state_dir / "trees"),
        time=time,
        entropy=system.entropy,
        status=_status(readiness, readiness.waiting),
        complain=_status(readiness, readiness.complains),
    )


def _connect(told: ReconcileSettings, wait: Callable[[int], Awaitable[None]], lease: fence.Lease) -> clusters.Connect:
    async def connect(context: str) -> cluster.Cluster:
        whose = account.Account(context, told.kubeconfig)
        limits = kubernetes.Limits(write=told.request_seconds)
        return await kubernetes.connect(whose, wait=wait, limits=limits, may_write=lease.holds)

    return connect


def _status(readiness: ops.Readiness, say: Callable[[str, str], None]) -> ops.Status:
    def status(component: str, reason: str | None) -> None:
        if reason is None:
            readiness.works(component)
        else:
            say(component, reason)

    return status


def _emptied(folder: Path) -> Path:
    """An empty folder; what a killed process left there goes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    return folder.resolve()


@contextlib.contextmanager
def _own(state_dir: Path) -> Iterator[str]:
    """The state folder for ourselves, and the permanent name of its owner in the group.

    The name outlives the process, so that a restarted one takes its partitions back at once; the lock keeps a second
    process from using the same name, which the broker would not refuse.
    """
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(state_dir / "instance", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        hint = "Stop the other process, or give this one a DECKLOG_STATE_DIR of its own"
        raise errors.Terminal("another process uses this folder", where=str(state_dir), hint=hint) from error
    try:
        name = os.read(handle, 100).decode("ascii", "replace").strip()
        if not name:
            name = f"reconcile-{uuid.uuid4()}"
            os.pwrite(handle, name.encode(), 0)
        yield name
    finally:
        os.close(handle)
