"""Traces for an OpenTelemetry collector: one for each request, a span for each stage of it."""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from gemello import __version__

# How long a collector may take; at the end the service waits for it as long.
_TIMEOUT_S = 2.0


def tracer_provider(endpoint: str) -> TracerProvider:
    """Return what makes spans and sends them to ``endpoint`` (OTLP over HTTP) in the background.

    A collector that cannot be reached costs spans, never a request. The standard ``OTEL_*``
    variables choose the sampler, headers and limits. ``shutdown`` sends what is left.
    """
    about = Resource.create({SERVICE_NAME: "gemello", SERVICE_VERSION: __version__})
    # Closed by the service, in order, not whenever the interpreter ends.
    provider = TracerProvider(resource=about, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
