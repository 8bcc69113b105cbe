"""A real bundle with a real OpenVINO graph, made in milliseconds: 32 px in, 48 numbers out.

Its graph computes what ``app.testing.FakeEncoder`` computes.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from app.bundle import model_store
from app.bundle.manifest import Backbone, Calibration, Manifest, Preprocessing, model_id
from app.bundle.tail import Tail, allowed

SIZE, DIMENSION = 32, 48
REACH = 0.4
"""Up to this distance a result is a match at one false alarm in twenty queries, however many images."""
CALIBRATION = Calibration(
    tail=Tail(images=100, distance=REACH * allowed(0.05) ** (-1 / 4), power=4, size_power=0),
    spread=1e-6,
    intercept=-3,
    slope=-1,
    images=300,
    classes=100,
)


def publish_tiny(
    store: Path, name: str = "tiny", *, offset: float = 0.01, calibrated: bool = True
) -> model_store.Bundle:
    """Publish a tiny model; another ``offset`` gives another model id."""
    with model_store.staging(store, name) as folder:
        (folder / "openvino").mkdir()
        ov.save_model(_graph(offset), folder / "openvino" / "model.xml", compress_to_fp16=False)
        files = model_store.hash_files(folder)
        manifest = Manifest(
            name=name,
            version=model_store.next_version(store, name),
            created=datetime.now(UTC),
            dimension=DIMENSION,
            input_size=SIZE,
            backbone=Backbone(name="pooling", weights="none", licence="Apache-2.0"),
            training={},
            data={},
            calibration=CALIBRATION if calibrated else None,
            files=files,
            model_id=model_id(files, SIZE, Preprocessing()),
        )
        model_store.write_manifest(folder, manifest)
        return model_store.publish(store, folder)


def _graph(offset: float) -> ov.Model:
    images = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="images")
    cells = ops.reshape(ops.convert(images, "f32"), np.array([-1, 4, 8, 4, 8, 3]), False)
    means = ops.reduce_mean(cells, np.array([2, 4]), False)
    flat = ops.reshape(means, np.array([-1, DIMENSION]), False)
    moved = ops.add(ops.divide(flat, np.array(255, np.float32)), np.array(offset, np.float32))
    unit = ops.normalize_l2(moved, np.array([1]), 1e-12, "add")
    return ov.Model([unit], [images], "tiny")
