"""The fixtures that all other tests stand on give real, separate parts of one stack."""

import asyncio
import json
import subprocess
import time
import uuid

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local import redacting
from tests import stack as stacks


async def test_kafka_keeps_what_a_test_sends(kafka_bootstrap: str, topic_prefix: str) -> None:
    """A message sent to a topic under the test's prefix is read back."""
    topic = f"{topic_prefix}.git.v1"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, b"said")
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest") as consumer:
        assert (await consumer.getone()).value == b"said"


async def test_topics_are_deleted_after_a_test(kafka_bootstrap: str) -> None:
    """What `topic_prefix` does at its end leaves no topic of the prefix."""
    prefix = stacks.unique("t")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(f"{prefix}.x", num_partitions=1, replication_factor=1)])
    await until_listed(admin, prefix, 1)  # Kafka answers before its broker knows the topic
    await stacks.delete_topics(kafka_bootstrap, prefix)
    await until_listed(admin, prefix, 0)
    await admin.close()


async def until_listed(admin: AIOKafkaAdminClient, prefix: str, count: int) -> None:
    """Wait until the broker tells of so many topics of a prefix."""
    deadline = time.monotonic() + 20
    while len(found := [name for name in await admin.list_topics() if name.startswith(prefix)]) != count:
        assert time.monotonic() < deadline, f"after 20 s there is {found}"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("_turn", [1, 2])
async def test_a_database_belongs_to_one_test(empty_database: str, _turn: int) -> None:
    """A table made in one test is not there in the next."""
    connection = await asyncpg.connect(empty_database)
    await connection.execute("CREATE TABLE mine (x int)")
    assert await connection.fetchval("SELECT count(*) FROM mine") == 0
    await connection.close()


def test_a_value_that_does_not_fit_a_secret_is_not_in_the_log_of_the_api_server(stack: stacks.Stack) -> None:
    """The API server answers 500 with the value in it, and logs the answer: the log keeps that there was one."""
    value = f"planted-{uuid.uuid4().hex}"
    log = stack.state / "logs" / "kube-apiserver.log"
    seen = log.read_bytes().count(redacting.CUT)
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": value},
        "data": {"password": {"deep": value}},
    }
    command = ["kubectl", "--kubeconfig", str(stack.kubeconfig), "apply", "--server-side", "-n", "default", "-f", "-"]
    done = subprocess.run(command, input=json.dumps(manifest), capture_output=True, text=True, check=False, timeout=60)
    assert value in done.stderr, "who asked is told"
    deadline = time.monotonic() + 20
    while log.read_bytes().count(redacting.CUT) == seen:
        assert time.monotonic() < deadline, "the API server logged no answer"
        time.sleep(0.05)
    assert value.encode() not in log.read_bytes()
