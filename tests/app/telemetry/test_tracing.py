"""Traces arrive at a collector, join a caller's, and harm nobody when the collector is away."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from app.config import Settings
from tests.support.images import picture
from tests.support.serving import free_port, in_process, in_thread

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """Takes what OTLP exporters send over HTTP."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.paths: list[str] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.paths.append(self.path)
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def attributes(self) -> dict[str, str]:
        """What the first request says of the service."""
        resource = self.requests[0].resource_spans[0].resource
        return {each.key: each.value.string_value for each in resource.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever, args=(0.01,))
    thread.start()
    yield collector
    collector.server.shutdown()
    thread.join()
    collector.server.server_close()


def test_a_search_is_one_trace_with_its_stages(settings: Settings, collector: Collector) -> None:
    traced = settings.model_copy(update={"otlp_endpoint": collector.url})
    with in_thread(traced) as server:
        server.post("/gallery", files={"images": picture(1)})
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        found = server.post("/search", files={"image": picture(1)}, headers=headers)
        assert found.status_code == httpx.codes.OK
        server.get("/health")
        server.get("/metrics")
        server.get("/gallery/health")
    # What was not sent yet is sent at the end.
    assert set(collector.paths) == {"/v1/traces"}
    assert collector.attributes()["service.name"] == "gemello"
    spans = collector.spans()
    (search,) = (span for span in spans if span.name == "POST /search")
    assert (search.trace_id.hex(), search.parent_span_id.hex()) == (TRACE, CALLER)
    stages = [span.name for span in spans if span.parent_span_id == search.span_id]
    assert sorted(stages) == ["decode", "embed", "search"]
    (stored,) = (span for span in spans if span.name == "store")
    assert stored.trace_id != search.trace_id
    asked = {span.name for span in spans if not span.name.islower()}
    assert asked == {"POST /gallery", "POST /search", "GET /gallery/{image_id}"}


def test_a_collector_that_is_away_harms_nobody(settings: Settings) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with in_thread(settings.model_copy(update={"otlp_endpoint": away})) as server:
        for seed in range(3):
            answer = server.post("/gallery", files={"images": picture(seed)})
            assert answer.status_code == httpx.codes.CREATED


def test_log_lines_lead_to_the_trace(
    settings: Settings, collector: Collector, tmp_path: Path
) -> None:
    environment = {
        "GEMELLO_DATA_DIR": str(settings.data_dir),
        "GEMELLO_MODEL_STORE": str(settings.model_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_SAMPLE_GALLERY": "0",
        "GEMELLO_LOG_FORMAT": "json",
        "GEMELLO_OTLP_ENDPOINT": collector.url,
    }
    log = tmp_path / "log"
    with log.open("wb") as stream, in_process(environment, stream) as (_, url):
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        assert httpx.get(f"{url}/stats", headers=headers).status_code == httpx.codes.OK
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (told,) = (line for line in lines if line.get("path") == "/stats")
    assert told["trace_id"] == TRACE
    assert all("trace_id" not in line for line in lines if line is not told)
    # The process ended as asked, and sent what it had first.
    assert "GET /stats" in [span.name for span in collector.spans()]
