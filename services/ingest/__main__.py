"""`python -m services.ingest`: settings → adapters → service → run."""

import asyncio
import os
import random

from decklog.adapters import system
from decklog.adapters.git import mirror as git_mirror
from decklog.adapters.git import mirrors as git_mirrors
from decklog.adapters.kafka import admin, connection, membership, producer, reader
from decklog.events.v1 import fleet_pb2
from decklog.model import door, topics
from decklog.runtime import http, ops, process
from decklog.runtime import settings as runtime_settings
from services.ingest import identity, service, trigger
from services.ingest.settings import IngestSettings

GROUP = "ingest"


def main() -> None:
    """Run until told to stop."""
    process.run("ingest", IngestSettings, lambda configured: _make(configured))


def _make(configured: runtime_settings.ServiceSettings) -> process.Serve:
    assert isinstance(configured, IngestSettings)  # noqa: S101 - `process.run` loads what it was given
    token = runtime_settings.read_secret(configured.token_file)
    own = identity.Identity(configured.state_dir, configured.member)  # held until the process ends
    listener = http.bind(configured.ops_host, configured.ops_port)

    async def serve(stop: asyncio.Event) -> None:
        readiness = ops.Readiness("topics", "installation", "fleet", "membership", "sources")
        ingest = service.Ingest(_ports(configured, own.name), _config(configured), readiness)
        app = ops.application("ingest", readiness)
        port = listener.getsockname()[1]
        trigger.add(app, token=token, hosts=door.loopback_hosts(port), poke=ingest.poke, refused=ingest.denials.count)
        async with asyncio.TaskGroup() as group:
            group.create_task(http.serve(app, listener, stop=stop), name="ops")
            await ingest.run(stop)

    return serve


def _ports(configured: IngestSettings, member: str) -> service.Ports:
    kafka = connection.Connection(bootstrap=configured.kafka, client_id="decklog-ingest")
    time = system.SystemClock()
    return service.Ports(
        producer=producer.KafkaProducer(kafka),
        readers=lambda: reader.KafkaReader(kafka),
        topics=admin.KafkaTopics(kafka),
        membership=membership.KafkaMembership(
            kafka,
            group=f"{configured.topic_prefix}.{GROUP}",
            topic=topics.CURSOR.name(configured.topic_prefix),
            instance=member,
        ),
        mirrors=git_mirrors.GitMirrors(
            configured.state_dir / "mirrors",
            credentials_folder=configured.credentials_dir,
            limits=git_mirror.Limits(
                ask_seconds=configured.git_ask_seconds,
                fetch_seconds=configured.git_fetch_seconds,
                bytes=configured.git_max_bytes,
            ),
        ),
        time=time,
        entropy=os.urandom,
        chance=random.random,
    )


def _config(configured: IngestSettings) -> service.Config:
    spec = None
    if configured.fleet_repo:
        spec = fleet_pb2.SourceSpec(url=configured.fleet_repo, refs=[configured.fleet_ref])
    return service.Config(prefix=configured.topic_prefix, poll_seconds=configured.poll_seconds, fleet_source=spec)


if __name__ == "__main__":
    main()
