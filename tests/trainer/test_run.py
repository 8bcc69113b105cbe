"""End to end: train a few steps, publish, serve on a real port, search."""

from pathlib import Path

import pytest

from app import model_store
from app.config import Settings
from tests.drawings import draw_classes
from tests.serving import in_thread
from tests.tiny_network import sectioned
from trainer.run import train

FEW_STEPS = sectioned(
    input_size=64,
    dimension=32,
    head_epochs=1,
    epochs=2,
    semi_hard_epochs=1,
    classes=4,
    images_per_class=2,
    validation_fraction=0.2,
    test_fraction=0.2,
)


def test_a_folder_becomes_a_model_that_serves(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = draw_classes(tmp_path / "shapes", 10, 4)
    (data / "class000" / "broken.png").write_bytes(b"no image")
    (data / "class002" / "again.png").write_bytes((data / "class002" / "image00.png").read_bytes())
    (data / "alone").mkdir()
    (data / "class001" / "image00.png").rename(data / "alone" / "one.png")
    bundle = train(data, "shapes", FEW_STEPS, tmp_path / "store", tmp_path / "cache")

    manifest = bundle.manifest
    assert (bundle.title, manifest.dimension, manifest.input_size) == ("shapes/1", 32, 64)
    assert manifest.training["config"]["epochs"] == 2
    assert [e["stage"] for e in manifest.training["history"]["epochs"]] == [
        "head",
        "network",
        "network",
    ]
    assert manifest.data["source"] == "shapes"
    assert manifest.evaluation is not None
    assert set(manifest.evaluation.metrics) == set(manifest.evaluation.untrained or {})
    assert str(tmp_path) not in (bundle.path / "manifest.json").read_text()
    page = (bundle.path / "report" / "index.html").read_text()
    assert str(tmp_path) not in page, "where somebody keeps the images means nothing elsewhere"
    assert "class002/image00.png: It has the same bytes as class002/again.png" in page
    model_store.verify(bundle)
    said = " ".join(capfd.readouterr().err.split())
    assert "broken.png" in said
    assert "one image only" in said

    settings = Settings(
        data_dir=tmp_path / "data",
        model_store=tmp_path / "store",
        model="shapes",
        sample_gallery=False,
        gallery_dir=data,
    )
    with in_thread(settings) as server:
        image = data / "class003" / "image02.png"
        answer = server.post("/search", files={"image": image.read_bytes()}).json()
        assert answer["total"] == 40
        assert answer["results"][0]["filename"] == "class003/image02.png"
        assert answer["results"][0]["label"] == "class003"
        assert answer["results"][0]["distance"] < 0.01
        assert answer["model"]["id"] == manifest.model_id
