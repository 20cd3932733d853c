"""Traces: OpenTelemetry with spans made by hand, carried from hop to hop in `traceparent`.

A batch of records gets one span with links to the spans that sent them: one per record would cost more than the record.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from decklog.model import traceparent

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

MAX_LINKS = 128
"""OpenTelemetry's own default limit of links on a span."""

FASTAPI: "TelemetryConfig" = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""For every `FastAPI(telemetry=…)`. Its own spans hold whole URLs with whatever clients put into them, and the values
that did not pass validation: ours are made by hand."""

_tracer = trace.get_tracer("decklog")


def configure(service: str, zipkin: str) -> TracerProvider | None:
    """Send spans to a Zipkin address; an empty one means that none are recorded. Close with `provider.shutdown()`."""
    if not zipkin:
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": f"decklog-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(ZipkinExporter(endpoint=zipkin, timeout=5)))
    trace.set_tracer_provider(provider)
    return provider


def _context(header: str) -> SpanContext | None:
    parsed = traceparent.parse(header)
    if parsed is None:
        return None
    return SpanContext(
        trace_id=int(parsed.trace_id, 16),
        span_id=int(parsed.parent_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(parsed.flags),
    )


@contextmanager
def span(
    name: str,
    *,
    parent: str | None = None,
    links: Iterable[str | None] = (),
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, str | int | float | bool] | None = None,
) -> Iterator[Span]:
    """Run a unit of work in a span: a child of `parent` (a traceparent) if given, else of the current span."""
    found = (_context(header) for header in links if header)
    linked = [Link(context) for context in found if context is not None][:MAX_LINKS]
    remote = _context(parent) if parent else None
    context = trace.set_span_in_context(NonRecordingSpan(remote)) if remote else None
    with _tracer.start_as_current_span(
        name, context=context, kind=kind, links=linked, attributes=dict(attributes or {})
    ) as current:
        yield current


def current() -> str | None:
    """Return the traceparent of the current span, or None outside of one."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return str(
        traceparent.TraceParent(
            format(context.trace_id, "032x"), format(context.span_id, "016x"), int(context.trace_flags)
        )
    )
