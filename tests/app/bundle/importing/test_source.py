"""Model files of three formats are read; what is broken is one sentence that says what is missing."""

from pathlib import Path

import onnx
import openvino as ov
import pytest
from onnx import helper

from app.bundle.importing.source import read_source
from app.bundle.model_store import sha256_file
from app.errors import ModelFileRefused
from tests.support import onnx_files
from tests.support.images import picture


def refused(path: Path) -> str:
    with pytest.raises(ModelFileRefused) as caught:
        read_source(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path.name} cannot be imported: ")
    assert "\n" not in sentence
    return sentence


def with_external_data(folder: Path) -> Path:
    path = onnx_files.encoder(folder / "encoder.onnx")
    onnx.save(
        onnx.load(str(path)),
        str(path),
        save_as_external_data=True,
        location="weights.data",
        size_threshold=0,
    )
    return path


def test_an_onnx_file_and_its_hash(tmp_path: Path) -> None:
    path = onnx_files.encoder(tmp_path / "encoder.onnx")
    source = read_source(path)
    assert (source.file, source.format) == ("encoder.onnx", "ONNX")
    assert source.sha256 == sha256_file(path)
    assert [value.get_any_name() for value in source.graph.outputs] == ["vector"]


def test_an_openvino_ir(tmp_path: Path) -> None:
    graph = read_source(onnx_files.encoder(tmp_path / "encoder.onnx")).graph
    ov.save_model(graph, tmp_path / "encoder.xml")
    assert read_source(tmp_path / "encoder.xml").format == "OpenVINO IR"
    (tmp_path / "encoder.bin").unlink()
    assert "encoder.bin, which belongs beside it" in refused(tmp_path / "encoder.xml")


def test_weights_in_a_file_beside_it(tmp_path: Path) -> None:
    path = with_external_data(tmp_path)
    assert read_source(path).graph.inputs
    weights = tmp_path / "weights.data"
    weights.write_bytes(weights.read_bytes()[:100])
    assert "weights.data, which belongs beside it, are missing or cut short" in refused(path)
    weights.unlink()
    assert "weights.data" in refused(path)


@pytest.mark.parametrize("suffix", [".onnx", ".ONNX", ".tflite", ".xml"])
@pytest.mark.parametrize("content", [b"", picture(1, "JPEG"), b"<net></net>"])
def test_what_is_no_model(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(content)
    assert "is cut short" in refused(path)


def test_half_a_model(tmp_path: Path) -> None:
    path = onnx_files.encoder(tmp_path / "encoder.onnx")
    path.write_bytes(path.read_bytes()[:-1000])
    assert "it is no ONNX model, or is cut short" in refused(path)


def test_operators_that_openvino_lacks_are_named(tmp_path: Path) -> None:
    node = helper.make_node("FancyAttention", ["pixel_values"], ["vector"], domain="com.acme")
    path = onnx_files.save(
        tmp_path / "fancy.onnx",
        [node],
        [onnx_files.images()],
        [onnx_files.floats("vector", ["batch", 24])],
    )
    assert "does not know its operators com.acme.FancyAttention" in refused(path)


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"PK")
    assert "it must be an ONNX file (.onnx)" in refused(path)
    assert "it cannot be read (No such file or directory)" in refused(tmp_path / "none.onnx")
    (tmp_path / "folder.onnx").mkdir()
    assert "it cannot be read (Is a directory)" in refused(tmp_path / "folder.onnx")
