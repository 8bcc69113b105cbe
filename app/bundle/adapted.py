"""A model made of another one: the same graph, with a linear map of its vectors at the end.

The map was fitted to a gallery, or it is a head that was trained on that model's vectors. It lies in the bundle once more, as a file: whoever has vectors of the base maps them, and needs
no image.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import openvino as ov

from app.bundle import model_store
from app.bundle.encoder import graph_path
from app.bundle.linear_map import LinearMap, append, read_map, write_map
from app.bundle.manifest import Base, Evaluation, model_id
from app.bundle.model_store import Bundle
from app.errors import ModelStoreUnwritable, RuntimeUnavailable

_MAP = "linear_map.npz"


@dataclass(frozen=True, slots=True, eq=False)
class BaseMap:
    """The map of vectors of the model ``base_id`` to those of the model that was made of it."""

    base_id: str
    linear: LinearMap


def base_map(bundle: Bundle) -> BaseMap | None:
    """Return the map at the end of a bundle's graph; None where the model was not made of another one.

    Raises ``ModelCorrupt``.
    """
    base, training = bundle.manifest.base, bundle.manifest.training
    if base is None and "encoder" not in training:
        return None
    base_id = base.model_id if base else str(training["encoder"]["model_id"])
    return BaseMap(base_id, read_map(bundle.path / _MAP))


def publish_adapted(
    store: Path,
    base: Bundle,
    linear: LinearMap,
    *,
    name: str,
    images: int,
    job: str,
    before: dict[str, float] | None = None,
    evaluation: Evaluation | None = None,
) -> Bundle:
    """Publish ``base`` with ``linear`` at the end of its graph as the next version of ``name``.

    ``linear`` was fitted on ``images`` stored images by ``job``; ``evaluation`` is what the new model
    was measured to do, and ``before`` the same figures of ``base``. There is no calibration: distances
    are others now. Which version serves by ``name`` alone stays as it is. Raises
    ``ModelStoreUnwritable``, or ``RuntimeUnavailable`` when the graph cannot be read.
    """
    with _writing(store, name), model_store.staging(store, name, job) as folder:
        write_mapped(folder, base, linear)
        files, origin = model_store.hash_files(folder), base.manifest
        manifest = origin.model_copy(
            update={
                "name": name,
                "version": model_store.next_version(store, name),
                "created": datetime.now(UTC),
                "dimension": len(linear.offset),
                "normalised": True,
                "base": Base(
                    model=base.title,
                    model_id=origin.model_id,
                    images=images,
                    metrics=before,
                    job=job,
                ),
                "evaluation": evaluation,
                "calibration": None,
                "files": files,
                "model_id": model_id(files, origin.input_size, origin.preprocessing),
            }
        )
        model_store.write_manifest(folder, manifest)
        return model_store.publish(store, folder, as_default=False)


def write_mapped(folder: Path, base: Bundle, linear: LinearMap) -> None:
    """Write the graph of ``base``, with ``linear`` at its end, as the bundle's in ``folder``; and ``linear``.

    Raises ``RuntimeUnavailable`` when the graph cannot be read.
    """
    (folder / "openvino").mkdir()
    try:
        graph = append(ov.Core().read_model(graph_path(base, "openvino")), linear)
        # What is float16 stays so; the map keeps its own precision.
        ov.save_model(graph, folder / "openvino" / "model.xml", compress_to_fp16=False)
    except RuntimeError as exc:
        raise RuntimeUnavailable("openvino", str(exc).strip().splitlines()[-1]) from exc
    write_map(folder / _MAP, linear)


def check_writable(store: Path, name: str) -> None:
    """Try to write below ``name``. Raises ``ModelStoreUnwritable`` or ``ParameterInvalid``."""
    with _writing(store, name), model_store.staging(store, name):
        pass


@contextmanager
def _writing(store: Path, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ModelStoreUnwritable(str(store / name), exc.strerror or str(exc)) from exc


def find_adapted(store: Path, name: str, job: str) -> Bundle | None:
    """Return the version of ``name`` that ``job`` published; None when it has not yet.

    Raises ``ModelCorrupt``.
    """
    for version in reversed(model_store.versions(store, name)):
        bundle = model_store.read(store / name / version)
        if bundle.manifest.base and bundle.manifest.base.job == job:
            return bundle
    return None
