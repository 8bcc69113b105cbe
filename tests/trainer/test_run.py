"""One run from a folder of images to a model that serves; a tiny backbone."""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.bundle import model_store
from app.bundle.model_store import Bundle
from app.bundle.runtimes import load_encoder
from app.config import Settings
from tests.support.drawings import draw, draw_classes
from tests.support.serving import in_thread
from tests.support.tiny_network import config, in_place_of_the_real_one
from trainer.data.records import divide, of_split, read_data
from trainer.evaluate.retrieval import measure_records
from trainer.run import train

CONFIG = config(input_size=48, validation_fraction=0.3, test_fraction=0.3)


@dataclass
class Use:
    """How often each file below ``folder`` was opened, and each content given to a decoder."""

    folder: Path
    opened: Counter[str]
    decoded: Counter[str]


@dataclass(frozen=True)
class Run:
    data: Path
    bundle: Bundle
    use: Use
    said: str


_watched: list[Use] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _watched and isinstance(arguments[0], str):
        path = Path(arguments[0])
        if path.is_relative_to(_watched[0].folder):
            _watched[0].opened[path.name] += 1


def contents_of(folder: Path) -> Counter[str]:
    """SHA-256 of the files below, and how many have it."""
    return Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.*"))


@contextmanager
def watched(folder: Path) -> Iterator[Use]:
    use = Use(folder, Counter(), Counter())
    contents = set(contents_of(folder))
    decode = Image.open

    def noted(stream: Any, *rest: Any, **options: Any) -> Image.Image:
        content = hashlib.sha256(stream.getvalue()).hexdigest()
        use.decoded.update({content} & contents)
        return decode(stream, *rest, **options)

    # A hook cannot be taken away again; it looks at nothing once the list is empty.
    sys.addaudithook(_note)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "open", noted)
        _watched.append(use)
        try:
            yield use
        finally:
            _watched.clear()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Twelve classes of four images, with what folders hold; every file has a name of its own."""
    folder = tmp_path_factory.mktemp("run")
    data = draw_classes(folder / "shapes", 12, 4)
    for path in sorted(data.rglob("*.png")):
        label, variation = int(path.parent.name[5:]), int(path.stem[5:])
        path.unlink()
        name = f"{label}-{variation}"
        if variation:
            draw(label, variation).save(path.parent / f"{name}.png")
        else:
            # Large enough that a decoder makes it smaller while it reads it.
            draw(label, variation, 300).resize((300, 200)).save(path.parent / f"{name}.jpg")
    (data / "class000" / "broken.png").write_bytes(b"not an image")
    (data / "class002" / "again.png").write_bytes((data / "class002" / "2-1.png").read_bytes())
    (data / "alone").mkdir()
    (data / "class001" / "1-1.png").rename(data / "alone" / "1-1.png")
    with in_place_of_the_real_one(), watched(data) as use, pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        for module in ("preparation", "fit.history", "fit.ladder", "publish.measure"):
            patch.setattr(f"trainer.{module}.say", said.append)
        bundle = train(data, "shapes", CONFIG, folder / "store", folder / "cache")
    return Run(data, bundle, use, "\n".join(said))


def test_the_model_says_what_it_was_made_of(run: Run) -> None:
    manifest = run.bundle.manifest
    assert (run.bundle.title, manifest.dimension, manifest.input_size) == ("shapes/1", 16, 48)
    assert manifest.training["config"] == CONFIG.model_dump()
    epochs = manifest.training["history"]["epochs"]
    assert len(epochs) == 2
    assert manifest.data["source"] == "shapes"
    assert str(run.data.parent) not in (run.bundle.path / "manifest.json").read_text()
    page = (run.bundle.path / "report" / "index.html").read_text()
    assert str(run.data.parent) not in page, (
        "where somebody keeps the images means nothing elsewhere"
    )
    assert "class002/again.png" in page
    assert "It has the same bytes as" in page
    assert "file gone" not in page
    model_store.verify(run.bundle)
    assert "broken.png" in run.said
    assert "one image only" in run.said
    for split, images in manifest.data["images"].items():
        classes = manifest.data["classes"][split]
        assert f"{split}: {images:,} images of {classes:,} classes" in run.said


def test_the_ladder_is_said_and_kept(run: Run) -> None:
    rungs = run.bundle.manifest.training["history"]["ladder"]
    names = [rung["name"] for rung in rungs]
    assert names[:3] == ["pretrained", "adapted", "head"]
    assert names[-1] == "fine-tuned"
    (published,) = (rung["name"] for rung in rungs if rung["published"])
    assert f"→ {published}" in run.said
    page = (run.bundle.path / "report" / "index.html").read_text()
    assert "50% fine-tuned" in page
    assert page.count("<b>published</b>") == 1


def test_every_file_is_read_and_decoded_once(run: Run) -> None:
    files = [path.name for path in run.data.rglob("*.*")]
    assert run.use.opened == dict.fromkeys(files, 1)
    assert run.use.decoded == contents_of(run.data)


def test_figures_are_those_of_the_files_as_they_are_served(run: Run) -> None:
    records = divide(
        read_data(run.data), CONFIG.data.validation_fraction, CONFIG.data.test_fraction, CONFIG.seed
    )
    out = {"broken.png", "again.png"}
    test = [record for record in of_split(records, "test") if record.path.name not in out]
    figures = measure_records(load_encoder(run.bundle), test).figures()
    evaluation = run.bundle.manifest.evaluation
    assert evaluation is not None
    assert len(test) > 8
    assert evaluation.queries == figures["queries"]
    assert evaluation.metrics == {name: figures[name] for name in evaluation.metrics}
    assert set(evaluation.metrics) == set(evaluation.untrained or {})


def test_the_model_serves(run: Run, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path / "data",
        model_store=run.bundle.path.parents[1],
        model="shapes",
        sample_gallery=False,
        gallery_dir=run.data,
    )
    with in_thread(settings) as server:
        image = run.data / "class003" / "3-2.png"
        answer = server.post("/search", files={"image": image.read_bytes()}).json()
        assert answer["total"] == 48
        assert answer["results"][0]["filename"] == "class003/3-2.png"
        assert answer["results"][0]["label"] == "class003"
        assert answer["results"][0]["distance"] < 0.01
        assert answer["model"]["id"] == run.bundle.manifest.model_id
