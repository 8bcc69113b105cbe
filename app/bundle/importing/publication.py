"""A model file of another maker → the next version of a model, in the store."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openvino as ov

from app.bundle import model_store
from app.bundle.importing.outputs import choose_output
from app.bundle.importing.probes import probe
from app.bundle.importing.scaling import Scaling
from app.bundle.importing.serving_graph import ServingGraph, read_input, serving_graph
from app.bundle.importing.source import Source, read_source
from app.bundle.manifest import Backbone, Manifest, Preprocessing, model_id
from app.bundle.model_store import Bundle
from app.bundle.runtimes import load_encoder
from app.errors import ModelFileRefused
from app.images.square import Resize

UNKNOWN = "unknown"
"""The licence of a model that nobody named one for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a file does not say of its model, and only who exported it knows.

    ``input_size`` and ``output`` are None where the file leaves no choice, ``scaling`` where the
    graph takes bytes.
    """

    input_size: int | None = None
    scaling: Scaling | None = None
    resize: Resize = "stretch"
    output: str | None = None
    licence: str = UNKNOWN


@dataclass(frozen=True, slots=True)
class Imported:
    """A published import, and the time that it takes for one image of a batch.

    ``one_by_one`` says that its graph takes no more than an image at once.
    """

    bundle: Bundle
    milliseconds: float
    one_by_one: bool


def import_model(path: Path, name: str, facts: Facts, store: Path) -> Imported:
    """Publish the encoder in ``path`` as the next version of ``name``, once it has proven itself.

    It is measured as it will be served: the written files, by the serving code. Where anything is
    wrong nothing is left in ``store``. Raises ``ModelFileRefused`` or ``ParameterInvalid``.
    """
    source = read_source(path)
    image = read_input(source, choose_output(source, facts.output), facts.input_size)
    if image.batch == 1:
        # Many files are written for one image and take more all the same; others are served one by one.
        with suppress(ModelFileRefused):
            return _publish(source, name, facts, store, single=False)
    return _publish(source, name, facts, store, single=image.batch == 1)


def _publish(source: Source, name: str, facts: Facts, store: Path, *, single: bool) -> Imported:
    serving = serving_graph(
        source,
        input_size=facts.input_size,
        scaling=facts.scaling,
        output=facts.output,
        single=single,
    )
    with model_store.staging(store, name) as folder:
        (folder / "openvino").mkdir()
        ov.save_model(serving.graph, folder / "openvino" / "model.xml", compress_to_fp16=False)
        files = model_store.hash_files(folder)
        preprocessing = Preprocessing(resize=facts.resize)
        size = serving.image.size
        manifest = Manifest(
            name=name,
            version=model_store.next_version(store, name),
            created=datetime.now(UTC).replace(microsecond=0),
            dimension=serving.dimension,
            input_size=size,
            preprocessing=preprocessing,
            backbone=Backbone(
                name=Path(source.file).stem,
                weights=f"imported from {source.file}",
                licence=facts.licence,
            ),
            training={"imported": _provenance(source, serving, facts)},
            data={},
            files=files,
            model_id=model_id(files, size, preprocessing),
        )
        milliseconds = probe(load_encoder(Bundle(folder, manifest)), source.file)
        model_store.write_manifest(folder, manifest)
        return Imported(model_store.publish(store, folder), milliseconds, single)


def _provenance(source: Source, serving: ServingGraph, facts: Facts) -> dict[str, Any]:
    scaled = facts.scaling
    return {
        "file": source.file,
        "format": source.format,
        "sha256": source.sha256,
        "input": serving.image.name,
        "layout": serving.image.layout,
        "output": serving.output,
        "mean": list(scaled.mean) if scaled else None,
        "std": list(scaled.std) if scaled else None,
    }
