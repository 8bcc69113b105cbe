"""Which of a graph's values is the embedding, and what that depends on."""

from typing import Any

import openvino as ov

from app.bundle.importing.source import Source
from app.errors import ModelFileRefused

Value = Any
"""A value of an OpenVINO graph (``ov.Output``)."""


def choose_output(source: Source, name: str | None) -> Value:
    """Return the value called ``name``, or the only output; inner values can be named, too.

    Raises ``ModelFileRefused``, which lists the outputs.
    """
    graph = source.graph
    if name is not None:
        for node in graph.get_ordered_ops():
            for value in node.outputs():
                if name in value.get_names() and node.get_type_name() != "Result":
                    return value
        raise ModelFileRefused(source.file, f"it has no output {name!r}; it has {_listed(graph)}")
    if len(graph.outputs) > 1:
        raise ModelFileRefused(
            source.file,
            f"it has several outputs, {_listed(graph)}; name the one that is the image's vector with "
            "--output",
        )
    return graph.output(0).get_node().input_value(0)


def image_input(source: Source, output: Value) -> ov.op.Parameter:
    """Return the one input that ``output`` depends on. Raises ``ModelFileRefused`` where there are more."""
    needed = _ancestors(output.get_node())
    inputs = [p for p in source.graph.get_parameters() if p.get_friendly_name() in needed]
    if len(inputs) != 1:
        names = ", ".join(described(p.output(0)) for p in inputs) or "nothing"
        raise ModelFileRefused(
            source.file, f"its output depends on {names}, and not on one image alone"
        )
    return inputs[0]


def described(value: Value) -> str:
    """Return a value's name and shape, ``logits [?, 1000]``; ``?`` is a length that the file leaves open."""
    shape = value.get_partial_shape()
    if shape.rank.is_dynamic:
        return f"{name_of(value)} of any shape"
    lengths = (str(d.get_length()) if d.is_static else "?" for d in shape)
    return f"{name_of(value)} [{', '.join(lengths)}]"


def name_of(value: Value) -> str:
    """Return what the file calls a value; of several names the first in the alphabet."""
    return str(min(value.get_names(), default=value.get_node().get_friendly_name()))


def _listed(graph: ov.Model) -> str:
    return ", ".join(described(output) for output in graph.outputs)


def _ancestors(node: Any) -> set[str]:
    """The names, unique in a graph, of ``node`` and of all that it is computed from."""
    seen: set[str] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        name = current.get_friendly_name()
        if name not in seen:
            seen.add(name)
            waiting += [value.get_node() for value in current.input_values()]
    return seen
