"""aiokafka's admin client, connected when it is first asked for."""

from aiokafka import admin

from decklog.adapters.kafka import connection as kafka_connection
from decklog.adapters.kafka import failures, stopping


class AdminClient:
    """One client for what administers topics or looks at groups."""

    def __init__(self, connection: kafka_connection.Connection) -> None:
        self._connection = connection
        self._client: admin.AIOKafkaAdminClient | None = None

    async def started(self) -> admin.AIOKafkaAdminClient:
        """The client, connected; raises as `failures.translated` does where the cluster cannot be reached."""
        if self._client is None:
            client = admin.AIOKafkaAdminClient(**self._connection.options())
            with failures.translated(self._connection.bootstrap):
                try:
                    await client.start()
                except BaseException:
                    await stopping.stopped(client.close())
                    raise
            self._client = client
        return self._client

    async def close(self) -> None:
        """Disconnect; what is asked afterwards connects again."""
        client, self._client = self._client, None
        if client is not None:
            await stopping.stopped(client.close())
