"""Another maker's encoder on its whole way: imported, served, measured, trained on, and adapted."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.bundle.encoder import Encoder
from app.bundle.model_store import Bundle, resolve
from app.bundle.openvino import OpenVinoEncoder
from app.bundle.runtimes import load_encoder
from app.config import Settings
from app.images.prepare import Pixels
from tests.support import onnx_files
from tests.support.command_line import Done, refusal, run
from tests.support.drawings import draw_classes
from tests.support.serving import in_thread
from trainer.data.records import divide, of_split, read_data
from trainer.evaluate.retrieval import measure_records

SHARES = ("--set", "data.validation_fraction=0.3", "--set", "data.test_fraction=0.3")
SMALL = ("--set", "network.dimension=16", *SHARES)


@dataclass(frozen=True)
class Place:
    """A model store with ``dino/1``, and images: 20 classes of five."""

    folder: Path
    data: Path

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def train(self, *options: object, name: str = "mine") -> Done:
        folders = ("--store", self.store, "--cache", self.folder / "cache")
        given = ("--name", name, "--backbone", "dino", *folders, *SMALL, *options)
        return run("train", self.data, *given)

    def trained(self, *options: object, name: str = "mine") -> Bundle:
        done = self.train(*options, "--json", name=name)
        assert done.returncode == 0, done.stderr
        return resolve(self.store, json.loads(done.stdout)["model"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("imported")
    place = Place(folder, draw_classes(folder / "data", 20, 5))
    file = onnx_files.encoder(folder / "dino.onnx")
    facts = ("--mean", "0.5", "--std", "0.25", "--resize", "crop", "--licence", "MIT")
    done = run("models", "import", file, "--name", "dino", *facts, "--store", place.store)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def trained(place: Place) -> Bundle:
    return place.trained()


@pytest.fixture
def server(place: Place, tmp_path: Path) -> Iterator[httpx.Client]:
    """``dino/1`` answers; the gallery has all the images."""
    settings = Settings(
        data_dir=tmp_path / "gallery",
        model_store=place.store,
        model="dino/1",
        sample_gallery=False,
        gallery_dir=place.data,
    )
    with in_thread(settings) as client:
        yield client


def found(server: httpx.Client, image: Path) -> tuple[str, str, float]:
    """The model that answers, and the nearest image with its distance."""
    answer = server.post("/search", files={"image": image.read_bytes()}).json()
    first = answer["results"][0]
    title = f"{answer['model']['name']}/{answer['model']['version']}"
    return title, first["filename"], first["distance"]


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many images each model embeds, by its id."""
    counts: Counter[str] = Counter()
    embed = OpenVinoEncoder.embed

    def noted(self: OpenVinoEncoder, images: Pixels) -> np.ndarray:
        counts[self.model_id] += len(images)
        return embed(self, images)

    monkeypatch.setattr(OpenVinoEncoder, "embed", noted)
    return counts


def test_it_is_searched_then_trained_on_and_the_trained_model_is_searched(
    place: Place, trained: Bundle, server: httpx.Client, embedded: Counter[str]
) -> None:
    image = place.data / "class003" / "image02.png"
    for title in ("dino/1", trained.title):
        activated = run("models", "activate", title, "--url", server.base_url)
        assert activated.returncode == 0, activated.stderr
        model, nearest, distance = found(server, image)
        assert (model, nearest) == (title, "class003/image02.png")
        assert distance < 0.01
    assert embedded[trained.manifest.model_id] <= 2, "stored vectors are mapped, not made anew"


def test_it_is_adapted_to_the_gallery_and_so_is_what_was_trained_on_it(
    place: Place, trained: Bundle, server: httpx.Client
) -> None:
    image = place.data / "class004" / "image01.png"
    for base in ("dino/1", trained.title):
        given = (base, "--name", "adapted", "--force", "--url", server.base_url)
        done = run("adapt", *given, "--json")
        assert done.returncode == 0, done.stderr
        adapted = json.loads(done.stdout)
        assert adapted["base"]["model"] == base
        model, nearest, distance = found(server, image)
        assert model == f"{adapted['name']}/{adapted['version']}"
        assert nearest == "class004/image01.png"
        assert distance < 0.01


def test_both_are_measured_and_compared(place: Place, trained: Bundle) -> None:
    images, page = ("--data", place.data, "--store", place.store), place.folder / "page.html"
    compared = run("compare", "dino/1", trained.title, *images, "--json")
    assert compared.returncode == 0, compared.stderr
    assert json.loads(compared.stdout)["models"] == ["dino/1", trained.title]
    measured = run("evaluate", "--model", trained.title, *images, "--report", page)
    assert (measured.returncode, page.is_file()) == (0, True), measured.stderr
    assert "no untrained backbone" not in measured.stderr
    assert "dino/1 without training, whitened on these images" in page.read_text()


def test_it_says_what_it_was_made_of(place: Place, trained: Bundle) -> None:
    base, manifest = resolve(place.store, "dino/1").manifest, trained.manifest
    assert manifest.backbone == base.backbone
    assert manifest.backbone.licence == "MIT"
    assert (manifest.dimension, manifest.input_size) == (16, base.input_size)
    assert manifest.preprocessing == base.preprocessing
    assert manifest.training["encoder"] == {
        "model": "dino/1",
        "model_id": base.model_id,
        "imported": base.training["imported"],
    }
    assert "epochs" not in manifest.training["config"]
    rungs = [rung["name"] for rung in manifest.training["history"]["ladder"]]
    assert rungs[:3] == ["pretrained", "adapted", "head"]
    assert "dino/1" in (trained.path / "report" / "index.html").read_text()
    shown = run("models", "show", trained.title, "--store", place.store).stdout
    assert "dino (MIT)" in shown
    assert "the features of dino/1" in shown


def test_figures_are_those_of_the_files_as_they_are_served(place: Place, trained: Bundle) -> None:
    test = of_split(divide(read_data(place.data), 0.3, 0.3, 0), "test")
    figures = measure_records(load_encoder(trained), test).figures()
    evaluation = trained.manifest.evaluation
    assert evaluation is not None
    assert evaluation.metrics == {name: figures[name] for name in evaluation.metrics}


def test_another_run_with_other_options_embeds_nothing_again(
    place: Place, trained: Bundle, embedded: Counter[str]
) -> None:
    second = place.trained("--seed", "4", "--set", "network.dimension=8", name="other")
    assert set(embedded) == {second.manifest.model_id}, "only what is published is measured"


def test_a_head_that_is_not_better_gives_way_as_any_other(
    place: Place, trained: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.fit.ladder.choose", lambda rungs: rungs[-1])
    monkeypatch.setattr(
        "trainer.publish.publication._problem",
        lambda _, history: None if history.published == "adapted" else "It is worse.",
    )
    instead = place.trained()
    ladder = {rung["name"]: rung for rung in instead.manifest.training["history"]["ladder"]}
    assert ladder["head"]["refused"] == "It is worse."
    assert ladder["adapted"]["published"]
    forced = place.train("--resume", "--force")
    assert forced.returncode == 0, forced.stderr
    assert "resuming after the heads" in forced.stderr
    assert f"not activated: mine stays at version {instead.manifest.version}" in forced.stdout


def test_a_model_that_was_trained_here_can_be_trained_on(place: Place, trained: Bundle) -> None:
    """The graph is all that is needed, whatever it is the graph of."""
    again = place.trained("--backbone", trained.title, "--set", "network.dimension=8", name="again")
    encoder: Encoder = load_encoder(again)
    assert encoder.dimension == 8
    assert again.manifest.training["encoder"]["model"] == trained.title
    assert again.manifest.backbone.licence == "MIT"


def test_a_graph_that_is_gone_is_a_sentence(place: Place) -> None:
    store = place.folder / "broken"
    file = place.folder / "dino.onnx"
    facts = ("--mean", "0.5", "--std", "0.25", "--store", store)
    assert run("models", "import", file, "--name", "gone", *facts).returncode == 0
    (store / "gone" / "1" / "openvino" / "model.bin").unlink()
    given = ("--name", "x", "--backbone", "gone", "--store", store, "--cache", place.folder / "c")
    assert "it cannot be read" in refusal(run("train", place.data, *given))
