"""Apache Kafka as one KRaft process, broker and controller in one, from Maven Central's jars."""

import base64
import logging
import shutil
import signal
import uuid
from pathlib import Path

from aiokafka import admin
from aiokafka import errors as kafka_errors

from deploy.local import cache, context, errors, java, kafka_classes, keeper, maven, processes

VERSION = "4.3.1"
ARTIFACTS = (
    java.Artifact("org.apache.kafka", "kafka_2.13", VERSION),
    # Without a binding slf4j 1.7 drops every line, also those that say why the broker does not start.
    java.Artifact("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),
)
PORTS = ("kafka", "kafka-controller")

LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


def server_properties(data: Path, broker: int, controller: int) -> str:
    """The configuration of a broker for one machine: one replica of everything, no auto-created topics.

    Heartbeat and session are short so that a broker killed with -9 is back within seconds, not after a lease.
    """
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        "message.max.bytes": "5242880",
        "replica.fetch.max.bytes": "5242880",
        "log.cleaner.dedupe.buffer.size": "16777216",
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


async def bring_up(ctx: context.Context) -> str:
    """Start Kafka and return its bootstrap address once it answers."""
    if ctx.wanted.kafka is not None:
        return await _given(ctx.wanted.kafka)
    tools = await java.obtain(ctx)
    jars = await _jars(ctx, tools)
    home = ctx.state.part("kafka")
    broker = ctx.ports["kafka"]
    properties = home / "server.properties"
    properties.write_text(server_properties(home / "data", broker, ctx.ports["kafka-controller"]))
    (home / "log4j2.properties").write_text(LOGGING)
    if not (home / "data" / "meta.properties").exists():
        await _format(ctx, tools, jars)
    await ctx.keeper.keep(_unit(ctx, tools, jars))
    ctx.after_stop.append(_archive(ctx, tools, jars).publish)
    ctx.progress.say("kafka", "ready")
    return f"127.0.0.1:{broker}"


async def _given(bootstrap: str) -> str:
    if not await answers(bootstrap):
        raise errors.StackError(
            f"DECKLOG_KAFKA={bootstrap}: no broker answers there. Start it, correct the address (host:port,host:port), "
            "or unset DECKLOG_KAFKA to have one started here."
        )
    return bootstrap


async def _jars(ctx: context.Context, tools: java.Java) -> Path:
    entry = f"kafka-{VERSION}-{cache.key([str(item).encode() for item in ARTIFACTS])}"

    async def fill(target: Path) -> None:
        async with ctx.progress.step("kafka", f"fetching Apache Kafka {VERSION} (44 MB)", expected=15):
            await maven.fetch(ctx, tools, ARTIFACTS, target)

    return await ctx.cached("kafka", entry, fill)


def _unit(ctx: context.Context, tools: java.Java, jars: Path) -> keeper.Unit:
    home = ctx.state.part("kafka")
    bootstrap = f"127.0.0.1:{ctx.ports['kafka']}"
    program = processes.Program(
        name="kafka",
        argv=(
            str(tools.program), "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", *_archive(ctx, tools, jars).options(),
            f"-Dlog4j2.configurationFile={home / 'log4j2.properties'}",
            "-cp", f"{jars}/*", "kafka.Kafka", str(home / "server.properties"),
        ),
        cwd=home,
        log=ctx.state.log("kafka"),
        env=ctx.environment(),
        # A clean stop takes a second; a broker that is killed needs several at its next start.
        death_signal=signal.SIGTERM,
    )  # fmt: skip
    return keeper.Unit(program=program, ready=lambda: answers(bootstrap))


def _archive(ctx: context.Context, tools: java.Java, jars: Path) -> kafka_classes.Archive:
    name = f"classes-{jars.name}-{cache.key([tools.build.encode()])}.jsa"
    return kafka_classes.Archive(ctx.wanted.cache / name, ctx.state.part("kafka") / name)


async def _format(ctx: context.Context, tools: java.Java, jars: Path) -> None:
    """Give the log folder its cluster id; a half-formatted one (interrupted) starts again."""
    home = ctx.state.part("kafka")
    shutil.rmtree(home / "data", ignore_errors=True)
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    storage = (
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={cluster_id}",  # an id may begin with a dash, and would look like an option by itself
        "--config",
        str(home / "server.properties"),
    )
    quick = ("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    argv = (str(tools.program), *quick, "-cp", f"{jars}/*", *storage)
    log = ctx.state.log("kafka-format")
    await ctx.run(processes.Program(name="kafka-format", argv=argv, cwd=home, log=log, env=ctx.environment()))


async def answers(bootstrap: str) -> bool:
    """Whether a broker there is registered and answers a metadata request."""
    # A broker that is still starting is no news, and the client would log every attempt.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    client = admin.AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    try:
        await client.start()
        described = await client.describe_cluster()
    except (kafka_errors.KafkaError, OSError):
        return False
    finally:
        await client.close()
    return bool(described["brokers"])
