"""Logs: structlog, one JSON object a line (for people on a terminal), everything to standard error.

One canonical line per unit of work, with the trace it belongs to. Payloads and secrets are never logged.
"""

import logging
import sys

import structlog
from opentelemetry import trace
from structlog.types import EventDict, Processor, WrappedLogger


def _with_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = format(context.trace_id, "032x")
    return event


class Sparse(logging.Filter):
    """Lets each distinct message of a talkative library through once in so many seconds (aiokafka during an outage)."""

    def __init__(self, *, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._last: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is due again; messages differ by where they are written."""
        place = (record.pathname, record.lineno)
        if record.created - self._last.get(place, float("-inf")) < self._seconds:
            return False
        self._last[place] = record.created
        return True


def configure(service: str, level: str = "info") -> None:
    """Send structlog's and the libraries' records to standard error in one format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_trace,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(shared, pretty=sys.stderr.isatty()))
    handler.addFilter(_only_sparse_libraries)
    handler.addFilter(_brief)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request to a witness says nothing


_sparse = Sparse(seconds=30)


def _only_sparse_libraries(record: logging.LogRecord) -> bool:
    return not record.name.startswith(("aiokafka", "opentelemetry", "urllib3")) or _sparse.filter(record)


def _brief(record: logging.LogRecord) -> bool:
    """Traces that nobody takes are one line in the exporter's last words, not its frames, again every 30 seconds."""
    if record.name.startswith("opentelemetry") and record.exc_info:
        record.msg, record.args = f"{record.getMessage()} {record.exc_info[1]}", None
        record.exc_info = None
    return True


def _formatter(shared: list[Processor], *, pretty: bool) -> logging.Formatter:
    render: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if pretty
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render]
    )
