"""What Prometheus may ask: a registry for each service, nothing global."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.trace import NoOpTracer, Tracer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The service's counters; names follow Prometheus's conventions (base units, ``_total``)."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        """``tracer`` gets a span for each stage."""
        self._tracer = tracer or NoOpTracer()
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "gemello_requests",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "gemello_request_seconds",
            "Time to answer an HTTP request.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._stage_seconds = Histogram(
            "gemello_stage_seconds",
            "Time spent in a stage: decode, embed (queue and inference), search, store.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.images_added = Counter(
            "gemello_images_added", "Images stored in the gallery.", registry=self.registry
        )
        self.images_removed = Counter(
            "gemello_images_removed", "Images removed from the gallery.", registry=self.registry
        )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of the work."""
        start = time.perf_counter()
        try:
            with self._tracer.start_as_current_span(name):
                yield
        finally:
            self.observe(name, time.perf_counter() - start)

    def observe(self, stage: str, seconds: float) -> None:
        """Count a stage that something else timed."""
        self._stage_seconds.labels(stage).observe(seconds)

    def gauge(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Report ``read()`` whenever Prometheus asks, and no number when it fails: the rest matters then."""

        def read_or_nan() -> float:
            try:
                return read()
            except Exception:
                return math.nan

        Gauge(name, description, registry=self.registry).set_function(read_or_nan)

    def info(self, name: str, description: str, read: Callable[[], Mapping[str, str]]) -> None:
        """Report a gauge of constant 1 whose labels are what ``read()`` returns whenever Prometheus asks."""
        self.registry.register(_Info(name, description, read))

    def render(self) -> bytes:
        """Return all metrics in the text exposition format."""
        return generate_latest(self.registry)


class _Info(Collector):
    def __init__(self, name: str, description: str, read: Callable[[], Mapping[str, str]]) -> None:
        self._name, self._description, self._read = name, description, read

    def collect(self) -> Iterator[Metric]:
        labels = self._read()
        family = GaugeMetricFamily(self._name, self._description, labels=list(labels))
        family.add_metric(list(labels.values()), 1)
        yield family
