"""It learns: it can overfit, it beats the untrained backbone, and noise teaches it nothing."""

import csv
import random
from pathlib import Path

import pytest

from app.bundle.encoder import Encoder
from app.bundle.runtimes import load_encoder
from tests.support.drawings import draw_classes
from tests.support.tiny_network import sectioned
from trainer.data.records import Record, read_data
from trainer.evaluate.keras_encoder import KerasEncoder
from trainer.evaluate.retrieval import measure_records
from trainer.evaluate.whitened import whitened_on
from trainer.fit import ladder
from trainer.network import embedder as network
from trainer.run import train

SAMPLE = Path(__file__).parents[2] / "app" / "sample_gallery"


def untrained_recall(records: list[Record]) -> float:
    """Of the features whitened on those images, which is what training has to beat."""
    features = KerasEncoder(network.untrained(sectioned(input_size=96).network))
    return recall_of(whitened_on(features, [record.path for record in records]), records)


def plain_recall(records: list[Record]) -> float:
    """Of the features as they are."""
    return recall_of(KerasEncoder(network.untrained(sectioned(input_size=96).network)), records)


def recall_of(encoder: Encoder, records: list[Record]) -> float:
    recall: float = measure_records(encoder, records).figures()["recall@1"]
    return recall


@pytest.mark.slow
def test_ten_classes_of_eight_images_can_be_overfitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = draw_classes(tmp_path / "data", 10, 8)
    assert untrained_recall(read_data(data)) < 0.8, "or there is nothing to learn"
    config = sectioned(
        input_size=96,
        dimension=64,
        classes=10,
        images_per_class=8,
        # Few epochs of many steps: what comes between epochs takes longer than so few images.
        epochs=4,
        steps_per_epoch=20,
        frozen_stages=0,
        crop_area=1.0,
        brightness=0,
        contrast=0,
        saturation=0,
        hue=0,
        grey=0,
        validation_fraction=0,
        test_fraction=0,
    )
    # Nothing is held out, so that the last weights are asked for by hand.
    monkeypatch.setattr(ladder, "choose", lambda rungs: rungs[-1])
    bundle = train(data, "overfitted", config, tmp_path / "store", tmp_path / "cache", force=True)
    assert measure_records(load_encoder(bundle), read_data(data)).figures()["recall@1"] > 0.99


@pytest.fixture(scope="module")
def symbols() -> tuple[list[Record], list[Record]]:
    """Real pictures: symbols to train on, and other symbols to test on."""
    records = read_data(SAMPLE)
    labels = sorted({record.label for record in records})
    held_out = set(labels[::2])
    return (
        [record for record in records if record.label not in held_out],
        [record for record in records if record.label in held_out],
    )


def trained_recall(
    records: list[Record], labels: list[str], test: list[Record], folder: Path
) -> float:
    folder.mkdir()
    data = folder / "data.csv"
    with data.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label"])
        writer.writerows(zip([r.path for r in records], labels, strict=True))
    config = sectioned(
        input_size=96,
        dimension=256,
        classes=16,
        validation_fraction=0,
        test_fraction=0,
    )
    bundle = train(data, "model", config, folder / "store", folder / "cache", force=True)
    recall: float = measure_records(load_encoder(bundle), test).figures()["recall@1"]
    return recall


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_beats_the_untrained_backbone_and_shuffled_labels_do_not(
    symbols: tuple[list[Record], list[Record]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, test = symbols
    monkeypatch.setattr(ladder, "choose", lambda rungs: rungs[-1])
    untrained = untrained_recall(test)
    labels = [record.label for record in records]
    shuffled = random.Random(0).sample(labels, len(labels))
    assert trained_recall(records, labels, test, tmp_path / "true") > max(
        untrained, plain_recall(test) + 0.05
    )
    assert trained_recall(records, shuffled, test, tmp_path / "shuffled") <= untrained
