"""All that leaves the services of a whole stack, as (place, bytes): records, rows, log lines, answers, pages, spans."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from fastapi.routing import APIRoute
from google.protobuf.message import Message

from decklog.model import events
from services.audit.page import routes

Text = tuple[str, bytes]

THEIRS = frozenset({"etcd", "kube-controller-manager", "kube-scheduler", "kwok"})
"""Logs of the cluster itself, which holds the secrets; its API server's is redacted (`deploy.local.redacting`)."""


async def records(bootstrap: str) -> AsyncIterator[Text]:
    """Every record of every topic, compacted and dead-letter topics included: key, value and headers."""
    wheres = await _partitions(bootstrap)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=5 << 20, group_id=None
    )
    await consumer.start()
    try:
        consumer.assign(wheres)
        await consumer.seek_to_beginning(*wheres)
        ends = await consumer.end_offsets(wheres)
        while any([await consumer.position(where) < ends[where] for where in wheres]):
            for found in (await consumer.getmany(timeout_ms=500)).values():
                for one in found:
                    place = f"{one.topic}/{one.partition}@{one.offset}"
                    yield f"the key of {place}", one.key or b""
                    yield f"the value of {place}", one.value or b""
                    for name, value in one.headers:
                        yield f"the header {name} of {place}", value or b""
    finally:
        await consumer.stop()


async def _partitions(bootstrap: str) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in await admin.describe_topics()
            for partition in topic["partitions"]
            if not topic["topic"].startswith("__")
        ]
    finally:
        await admin.close()


async def rows(postgres: str) -> AsyncIterator[Text]:
    """Every column of every row of both schemas; payloads also as the messages that they are."""
    connection = await asyncpg.connect(postgres)
    try:
        tables = await connection.fetch(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('ledger', 'audit') ORDER BY 1, 2"
        )
        for schema, table in tables:
            for number, row in enumerate(await connection.fetch(f'SELECT * FROM {schema}."{table}"')):  # noqa: S608
                for column, value in row.items():
                    yield f"{schema}.{table}.{column}, row {number}", _bytes(value)
        payloads = await connection.fetch(
            "SELECT e.leaf, e.receipt, p.value FROM ledger.entry e JOIN ledger.payload p USING (leaf)"
        )
        for leaf, receipt, value in payloads:
            kind = (json.loads(receipt)["ce"] or {}).get("type")
            if kind and value is not None:
                for path, text in _fields(events.decode(kind, value), kind.rpartition(".")[2]):
                    yield f"{path} of leaf {leaf}", text
    finally:
        await connection.close()


def _fields(message: Message, path: str) -> Iterator[Text]:
    for field, value in message.ListFields():
        for one in value if field.is_repeated else [value]:
            if field.message_type is not None:
                yield from _fields(one, f"{path}.{field.name}")
            else:
                yield f"{path}.{field.name}", _bytes(one)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def logs(state: Path) -> Iterator[Text]:
    """Every log file of the stack but those that nobody redacts."""
    for file in sorted((state / "logs").glob("*.log*")):
        if file.name.partition(".")[0] not in THEIRS:
            yield str(file.relative_to(state)), file.read_bytes()


class Visitor:
    """Somebody who reads all that audit, the operations ports and the tracing server give out."""

    def __init__(self, server: str, token: str) -> None:
        self._server = server
        self._token = token
        self._cookies = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def ask(self, path: str, **headers: str) -> tuple[int, bytes]:
        """One GET with the token, whatever the answer."""
        return self.send("GET", path, Authorization=f"Bearer {self._token}", **headers)

    def ask_to(self, method: str, path: str, body: object) -> tuple[int, bytes]:
        """One command with the token."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        return self.send(method, path, json.dumps(body).encode(), **headers)

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """One request with these headers alone (and the cookies of `enter`)."""
        url = path if path.startswith("http") else self._server + path
        request = urllib.request.Request(url, data=body, method=method, headers=headers)  # noqa: S310 (loopback)
        try:
            with self._cookies.open(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()

    def answers(self, known: Mapping[str, Sequence[str]]) -> Iterator[Text]:
        """Every GET route of the OpenAPI document for all that is known of each of its parameters, and the document.

        Raises KeyError for a parameter that nobody thought of: a new route has to be walked as well.
        """
        status, document = self.ask("/api/v1/openapi.json")
        assert status == 200, document
        yield "the OpenAPI document", document
        for template, methods in json.loads(document)["paths"].items():
            if "get" in methods and not template.endswith("/stream"):
                for path in _paths(template, known):
                    yield f"the answer to {path}", self.ask(path)[1]

    def stream(self, until_leaf: int) -> Text:
        """The live stream from its beginning until it told of a leaf."""
        headers = {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(f"{self._server}/api/v1/stream?last_leaf=-1", headers=headers)  # noqa: S310
        heard = b""
        with self._cookies.open(request, timeout=30) as answer:
            while max(map(int, re.findall(rb"(?m)^id: (\d+)$", heard)), default=-1) < until_leaf:
                try:
                    heard += answer.read1(1 << 16)
                except TimeoutError:
                    raise AssertionError(f"the stream never told of leaf {until_leaf}") from None
        return "the stream", heard

    def pages(self, code: str, known: Mapping[str, Sequence[str]]) -> Iterator[Text]:
        """Every page and fragment, as a browser that has logged in sees them."""
        status, _ = self.send("GET", f"/login?code={urllib.parse.quote(code)}")
        assert status == 200
        for route in routes.router.routes:
            if isinstance(route, APIRoute):
                for path in _paths(route.path, known):
                    status, page = self.send("GET", path)
                    assert status == 200, path
                    yield f"the page {path}", page


def _paths(template: str, known: Mapping[str, Sequence[str]]) -> list[str]:
    paths = [template]
    for name in re.findall(r"{(\w+)}", template):
        paths = [
            path.replace(f"{{{name}}}", urllib.parse.quote(value, safe="")) for path in paths for value in known[name]
        ]
    return [path + query for path in paths for query in known.get(template, [""])]
