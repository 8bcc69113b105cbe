"""Reads other people's model files, ONNX, OpenVINO IR or TFLite, with OpenVINO alone."""

import re
from dataclasses import dataclass
from pathlib import Path

import openvino as ov
from openvino.frontend import FrontEndManager, OpConversionFailure

from app.bundle.model_store import sha256_file
from app.errors import ModelFileRefused

_FORMATS = {".onnx": "ONNX", ".xml": "OpenVINO IR", ".tflite": "TFLite"}
# OpenVINO's names for what reads them; asked by name, since each of the others would complain.
_FRONTENDS = {".onnx": "onnx", ".xml": "ir", ".tflite": "tflite"}


@dataclass(frozen=True, slots=True)
class Source:
    """A model's graph as its file has it, and which file that was."""

    graph: ov.Model
    file: str
    format: str
    sha256: str


def read_source(path: Path) -> Source:
    """Read a model file; weights that lie beside it (``.bin``, external data) are found there.

    Raises ``ModelFileRefused``.
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise ModelFileRefused(
            path.name,
            "it must be an ONNX file (.onnx), an OpenVINO IR (.xml) or a TFLite file (.tflite)",
        )
    try:
        digest = sha256_file(path)
    except OSError as exc:
        raise ModelFileRefused(path.name, f"it cannot be read ({exc.strerror})") from exc
    frontend = FrontEndManager().load_by_framework(_FRONTENDS[suffix])
    try:
        graph = frontend.convert(frontend.load(str(path)))
    except OpConversionFailure as exc:
        raise ModelFileRefused(path.name, _unsupported(str(exc))) from exc
    except Exception as exc:  # OpenVINO raises many kinds for broken files
        raise ModelFileRefused(path.name, _unreadable(str(exc), path)) from exc
    # An empty file is a model without anything in it.
    if not graph.inputs or not graph.outputs:
        raise ModelFileRefused(path.name, f"it is no {_FORMATS[suffix]} model, or is cut short")
    return Source(graph, path.name, _FORMATS[suffix], digest)


def _unsupported(message: str) -> str:
    found = re.search(r"No conversion rule found for operations: (.+)", message)
    return f"OpenVINO does not know its operators {found[1]}" if found else last_line(message)


def _unreadable(message: str, path: Path) -> str:
    if found := re.search(r"externally stored data in file \(([^,)]+)", message):
        return f"its weights in {found[1]}, which belongs beside it, are missing or cut short"
    if "bin file" in message:
        weights = path.with_suffix(".bin").name
        return f"its weights in {weights}, which belongs beside it, are missing or cut short"
    return f"it is no {_FORMATS[path.suffix.lower()]} model, or is cut short"


def last_line(message: str) -> str:
    """Return what OpenVINO says after the places in its own source, without a full stop."""
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "OpenVINO does not say why"
