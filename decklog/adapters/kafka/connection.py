"""How to reach and trust a Kafka cluster."""

import ssl
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Bootstrap addresses (`host:port,…`) and, where the cluster wants it, TLS and SASL.

    `request_timeout` (seconds) bounds one request; a whole delivery is bounded by the producer.
    """

    bootstrap: str
    client_id: str = "decklog"
    request_timeout: float = 20.0
    security_protocol: str = "PLAINTEXT"
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    sasl_mechanism: str = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def options(self) -> dict[str, Any]:
        """The keyword arguments every aiokafka client takes."""
        return {
            "bootstrap_servers": self.bootstrap,
            "client_id": self.client_id,
            "request_timeout_ms": int(self.request_timeout * 1000),
            "retry_backoff_ms": 100,
            "metadata_max_age_ms": 60_000,
            "connections_max_idle_ms": 540_000,
            "security_protocol": self.security_protocol,
            "ssl_context": self.tls,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }
