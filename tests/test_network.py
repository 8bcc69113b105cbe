"""The network: the backbone against its reference, preprocessing inside, batches equal to singles."""

from pathlib import Path

import keras
import numpy as np
import pytest

from trainer import network
from trainer.backbones import efficientnet_lite0 as lite0
from trainer.config import TrainConfig
from trainer.errors import WeightsError

GOLDEN = np.load(Path(__file__).parent / "data" / "lite0_golden.npz")
SMALL = TrainConfig(input_size=64, dimension=32)


@pytest.fixture(scope="module")
def built() -> network.Network:
    keras.utils.set_random_seed(0)
    return network.build(SMALL)


def noise(count: int, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def test_lite0_features_are_those_of_the_reference_implementation() -> None:
    config = TrainConfig(input_size=128)
    features = network.build(config).features.predict_on_batch(GOLDEN["images"])
    assert features.shape == (3, 1280)
    assert np.abs(features - GOLDEN["features"]).max() < 1e-3


def test_embeddings_have_unit_length(built: network.Network) -> None:
    embeddings = built.embedder.predict_on_batch(noise(5, 64))
    assert embeddings.shape == (5, 32)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_an_image_alone_and_in_a_batch_gives_the_same(built: network.Network) -> None:
    images = noise(32, 64)
    together = np.asarray(built.embedder(images, training=True))
    alone = np.asarray(built.embedder(images[:1], training=True))
    assert np.abs(together[0] - alone[0]).max() < 1e-4


def test_pixels_are_standardised_once(built: network.Network) -> None:
    inside = keras.Model(built.features.input, built.features.get_layer("standardise").output)
    white = inside.predict_on_batch(np.full((1, 64, 64, 3), 255, np.uint8))[0, 0, 0]
    expected = (255 - np.array(lite0.MEAN)) / np.array(lite0.STD)
    assert np.allclose(white, expected, atol=1e-4)
    values = inside.predict_on_batch(noise(8, 64))
    assert abs(values.mean()) < 0.5
    assert 0.8 < values.std() < 1.7


def test_red_is_not_blue(built: network.Network) -> None:
    red = np.zeros((1, 64, 64, 3), np.uint8)
    red[..., 0] = 255
    inside = keras.Model(built.features.input, built.features.get_layer("standardise").output)
    first, _, last = inside.predict_on_batch(red)[0, 0, 0]
    assert first > 2
    assert last < 0


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("resnet50", 2048),
        ("vgg16", 512),
        ("efficientnet_b0", 1280),
        ("efficientnet_v2_b0", 1280),
        ("mobilenet_v3_large", 960),
    ],
)
def test_every_backbone_can_be_built_from_a_weights_file(
    name: str, channels: int, tmp_path: Path
) -> None:
    # A file of the right shape, as Keras would have downloaded it.
    application = {
        "resnet50": "ResNet50",
        "vgg16": "VGG16",
        "efficientnet_b0": "EfficientNetB0",
        "efficientnet_v2_b0": "EfficientNetV2B0",
        "mobilenet_v3_large": "MobileNetV3Large",
    }[name]
    make = getattr(keras.applications, application)
    reference = make(weights=None, include_top=False, input_shape=(32, 32, 3))
    file = tmp_path / "backbone.weights.h5"
    reference.save_weights(file)
    config = TrainConfig(backbone=name, weights=str(file), input_size=32, pooling="gem")
    built = network.build(config)
    assert built.features.output_shape == (None, channels)
    assert np.isfinite(built.embedder.predict_on_batch(noise(2, 32))).all()
    for own, other in zip(built.backbone.weights, reference.weights, strict=True):
        assert np.array_equal(own.numpy(), other.numpy())
    assert network.provenance(config.backbone).licence


def test_a_caffe_backbone_gets_bgr_less_its_mean(tmp_path: Path) -> None:
    file = tmp_path / "vgg.weights.h5"
    keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3)).save_weights(
        file
    )
    built = network.build(TrainConfig(backbone="vgg16", weights=str(file), input_size=32))
    inside = keras.Model(built.features.input, built.features.get_layer("centre").output)
    ours = inside.predict_on_batch(noise(2, 32))
    theirs = keras.applications.vgg16.preprocess_input(noise(2, 32).astype(np.float32))
    assert np.abs(ours - theirs).max() < 1e-3


def test_weights_that_cannot_be_downloaded_name_the_two_ways_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "ResNet50", refuse)
    with pytest.raises(WeightsError, match=r"--weights FILE.*efficientnet_lite0"):
        network.build(TrainConfig(backbone="resnet50"))


def test_a_weights_file_that_does_not_fit_is_named(tmp_path: Path) -> None:
    file = tmp_path / "other.weights.h5"
    file.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"other\.weights\.h5"):
        network.build(TrainConfig(weights=str(file), input_size=64))


def test_batch_normalisation_does_not_train(built: network.Network) -> None:
    norms = [x for x in built.backbone.layers if isinstance(x, keras.layers.BatchNormalization)]
    trained = {id(variable) for variable in built.embedder.trainable_variables}
    assert norms
    assert not any(id(variable) in trained for norm in norms for variable in norm.weights)
    assert len(trained) == len(built.backbone.trainable_variables) + 1
