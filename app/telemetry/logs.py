"""Structured logs: for people on a console, or JSON for a collector."""

import io
import logging
import sys
from typing import Any, Literal, TextIO

import structlog
from opentelemetry.trace import INVALID_TRACE_ID, format_trace_id, get_current_span
from structlog.typing import EventDict


def configure_logs(style: Literal["console", "json"], level: str) -> None:
    """Send every log line to standard error, in one style."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        # A plain traceback: the default shows every local variable, keys and images included.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=_plain_traceback
        )
    )
    exceptions = [structlog.processors.format_exc_info] if style == "json" else []
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper("iso", utc=True),
        *exceptions,
        *([] if style == "json" else [_escaped]),  # JSON escapes by itself
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # What libraries log (uvicorn's start and its errors) takes the same road.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers, root.level = [handler], max(threshold, logging.WARNING)
    # Of what is no request it warns, a line for each: whoever can connect could fill the log.
    logging.getLogger("uvicorn.error").setLevel(max(threshold, logging.ERROR))


def _with_trace(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Let a line lead to the trace it belongs to, where traces are made."""
    trace = get_current_span().get_span_context().trace_id
    if trace != INVALID_TRACE_ID:
        event["trace_id"] = format_trace_id(trace)
    return event


def _escaped(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Keep what callers send from moving the cursor, colouring the console or faking a line."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = _printable(value)
    return event


def _printable(text: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _plain_traceback(stream: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    traceback = io.StringIO()
    structlog.dev.plain_traceback(traceback, exc_info)
    stream.write("\n".join(_printable(line) for line in traceback.getvalue().split("\n")))
