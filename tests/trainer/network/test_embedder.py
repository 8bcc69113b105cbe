"""The network: the backbone against its reference, preprocessing inside, batches equal to singles."""

import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from app.bundle.whitening import fit_whitening
from tests.support.tiny_network import build, caches, config, in_place_of_the_real_one, sectioned
from trainer.config import Backbone, TrainConfig
from trainer.errors import WeightsError
from trainer.fit.training import fit
from trainer.network import efficientnet_lite as lite
from trainer.network import embedder as network
from trainer.network.backbones import build_backbone, deeper_layers
from trainer.network.features import unit

DATA = Path(__file__).parent / "data"
SMALL = sectioned(input_size=64, dimension=32)


@pytest.fixture(scope="module")
def built() -> network.Network:
    keras.utils.set_random_seed(0)
    return network.build(SMALL.network)


def up_to(layer: str, config: TrainConfig) -> keras.Model:
    features = network.untrained(config.network)
    return keras.Model(features.input, features.get_layer(layer).output)


def noise(count: int, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


@pytest.mark.parametrize("number", [0, 2])
def test_lite_features_are_those_of_the_reference_implementation(number: int) -> None:
    golden = np.load(DATA / f"lite{number}_golden.npz")
    name: Backbone = "efficientnet_lite0" if number == 0 else "efficientnet_lite2"
    features = network.untrained(sectioned(backbone=name, input_size=128).network)
    found = features.predict_on_batch(golden["images"])
    expected = unit(golden["features"])
    assert found.shape == (3, 1280 + (320 + 192 if number == 0 else 352 + 208))
    # The deepest comes first, one of three parts of equal length.
    # Kernels are stored as float16.
    assert np.abs(unit(found[:, :1280]) - expected).max() < 2e-3
    assert np.linalg.norm(found[:, :1280], axis=1) == pytest.approx(3**-0.5, abs=1e-4)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("efficientnet_lite0", [320, 192]),
        ("efficientnet_lite2", [352, 208]),
        ("mobilenet_v3_large", [160, 112]),
        ("vgg16", [512, 512]),
        pytest.param("resnet50", [2048, 1024], marks=pytest.mark.slow),
        pytest.param("efficientnet_b0", [320, 192], marks=pytest.mark.slow),
        pytest.param("efficientnet_v2_b0", [192, 112], marks=pytest.mark.slow),
    ],
)
def test_every_backbone_has_its_deeper_layers(
    name: Backbone, channels: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Built as after a download, but with random weights: names and shapes are the same.
    for application in (
        "MobileNetV3Large",
        "VGG16",
        "ResNet50",
        "EfficientNetB0",
        "EfficientNetV2B0",
    ):
        make = getattr(keras.applications, application)
        monkeypatch.setattr(keras.applications, application, without_weights(make))
    backbone = build_backbone(name)
    layers = [backbone.get_layer(layer) for layer in deeper_layers(name)]
    assert [layer.output.shape[-1] for layer in layers] == channels
    places = [backbone.layers.index(layer) for layer in layers]
    assert places == sorted(places, reverse=True), "the deepest first"


def without_weights(make: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
    return lambda **options: make(**{**options, "weights": None})


def test_embeddings_have_unit_length(built: network.Network) -> None:
    embeddings = built.embedder.predict_on_batch(noise(5, 64))
    assert embeddings.shape == (5, 32)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_an_image_alone_and_in_a_batch_gives_the_same(built: network.Network) -> None:
    images = noise(32, 64)
    together = np.asarray(built.embedder(images, training=True))
    alone = np.asarray(built.embedder(images[:1], training=True))
    assert np.abs(together[0] - alone[0]).max() < 1e-4


def test_pixels_are_standardised_once() -> None:
    inside = up_to("standardise", SMALL)
    white = inside.predict_on_batch(np.full((1, 64, 64, 3), 255, np.uint8))[0, 0, 0]
    expected = (255 - np.array(lite.MEAN)) / np.array(lite.STD)
    assert np.allclose(white, expected, atol=1e-4)
    values = inside.predict_on_batch(noise(8, 64))
    assert abs(values.mean()) < 0.5
    assert 0.8 < values.std() < 1.7


def test_red_is_not_blue() -> None:
    red = np.zeros((1, 64, 64, 3), np.uint8)
    red[..., 0] = 255
    inside = up_to("standardise", SMALL)
    first, _, last = inside.predict_on_batch(red)[0, 0, 0]
    assert first > 2
    assert last < 0


@pytest.mark.parametrize(
    ("name", "application", "module", "channels"),
    [
        pytest.param("resnet50", "ResNet50", "resnet", 2048, marks=pytest.mark.slow),
        ("vgg16", "VGG16", "vgg16", 512),
        pytest.param(
            "efficientnet_b0", "EfficientNetB0", "efficientnet", 1280, marks=pytest.mark.slow
        ),
        pytest.param(
            "efficientnet_v2_b0",
            "EfficientNetV2B0",
            "efficientnet_v2",
            1280,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "mobilenet_v3_large", "MobileNetV3Large", "mobilenet_v3", 960, marks=pytest.mark.slow
        ),
    ],
)
def test_a_file_and_a_download_of_the_same_weights_give_keras_own_features(
    name: str,
    application: str,
    module: str,
    channels: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make = getattr(keras.applications, application)
    shape = {"include_top": False, "input_shape": (32, 32, 3)}
    source = make(weights=None, **shape)
    for layer in source.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            # Keras's files hold ImageNet's figures here; a fresh layer would change nothing.
            mean, deviation = np.array(lite.MEAN) / 255, np.array(lite.STD) / 255
            layer.set_weights([mean, deviation, np.array(0)])
    file = tmp_path / "backbone.weights.h5"
    source.save_weights(file)
    # Keras's own way: its download, its preprocessing, its pooling.
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: str(file))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*input_shape. is undefined")
        reference = make(weights="imagenet", pooling="avg", **shape)
    images = noise(4, 32)
    pixels = getattr(keras.applications, module).preprocess_input(images.astype(np.float32))
    expected = reference.predict_on_batch(pixels)
    assert expected.std() > 0
    for weights in (str(file), None):
        config = sectioned(backbone=name, weights=weights, input_size=32)
        features = network.untrained(config.network).predict_on_batch(images)
        deepest = unit(features[:, :channels])
        assert np.abs(deepest - unit(expected)).max() < 1e-3, weights


def test_a_caffe_backbone_gets_bgr_less_its_mean(tmp_path: Path) -> None:
    file = tmp_path / "vgg.weights.h5"
    keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3)).save_weights(
        file
    )
    inside = up_to("centre", sectioned(backbone="vgg16", weights=str(file), input_size=32))
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
        network.build(sectioned(backbone="resnet50").network)


def test_a_weights_file_that_does_not_fit_is_named(tmp_path: Path) -> None:
    file = tmp_path / "other.weights.h5"
    file.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"other\.weights\.h5"):
        network.build(sectioned(weights=str(file), input_size=64).network)


def test_batch_normalisation_does_not_train(built: network.Network) -> None:
    norms = [x for x in built.backbone.layers if isinstance(x, keras.layers.BatchNormalization)]
    trained = {id(variable) for variable in built.embedder.trainable_variables}
    assert norms
    assert not any(id(variable) in trained for norm in norms for variable in norm.weights)
    assert len(trained) == len(built.backbone.trainable_variables) + 2


def test_freezing_by_stages_leaves_the_later_ones() -> None:
    built = network.build(SMALL.network)
    counts = [len(built.freeze(stages)) for stages in range(6)]
    whole = built.backbone.trainable_variables
    assert counts[0] == len(whole)
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == 6
    assert counts[5] == 0
    paths = [[variable.path for variable in built.freeze(stages)] for stages in range(5)]
    assert "stem_conv/kernel" in paths[0]
    assert not any("stem_conv" in path or "block0_" in path for path in paths[1])
    assert any("block1_" in path for path in paths[1])
    # Of the last stage: 16 blocks, the last five and the layer above them.
    last = {path.split("_")[0] for path in paths[4]}
    assert last == {"block11", "block12", "block13", "block14", "block15", "head"}


@pytest.mark.parametrize("name", ["EfficientNetB0", "MobileNetV3Large", "ResNet50", "VGG16"])
def test_other_networks_are_frozen_from_below(name: str) -> None:
    """Squeeze-and-excite, padding and shortcuts are within a stage, and no step to the next."""
    make = getattr(keras.applications, name)
    backbone = make(weights=None, include_top=False, input_shape=(None, None, 3))
    built = network.Network(backbone, backbone, backbone.layers[-1], *[backbone] * 3)
    whole = [id(variable) for variable in backbone.trainable_variables]
    assert [id(v) for v in built.freeze(0)] == whole
    for stages in range(1, 5):
        left = [id(v) for v in built.freeze(stages)]
        assert 0 < len(left) < len(whole)
        assert left == whole[-len(left) :], "the last layers, without a gap"
        whole = left
    assert built.freeze(5) == []


@pytest.mark.parametrize("dimension", [16, 36, 50])
def test_a_head_does_what_the_linear_map_does(dimension: int) -> None:
    chosen = config(dimension=dimension)
    built = build(chosen)
    rng = np.random.default_rng(0)
    features = unit(rng.random((40, 36)))
    linear = fit_whitening(features, min(dimension, 36))
    built.head.set_weights(network.as_head(linear, built.head))
    found = np.asarray(built.top(features))
    if dimension <= 36:
        assert np.abs(found - linear(features)).max() < 1e-5
        return
    kernel, bias = built.head.get_weights()
    assert np.array_equal(kernel[:, :36], linear.matrix)
    # Dimensions that the map lacks can be trained, and weigh nearly nothing before.
    assert np.linalg.norm(kernel[:, 36:], axis=0).min() > 0
    assert not bias[36:].any()
    assert np.abs(found[:, :36] - linear(features)).max() < 0.01


def test_training_crops_are_smaller_and_see_the_same_network() -> None:
    chosen = config(input_size=96)
    built = build(chosen)
    assert built.embedder.input_shape == (None, 96, 96, 3)
    assert built.trained.input_shape == (None, 64, 64, 3)
    own = {id(variable) for variable in built.embedder.variables}
    assert {id(variable) for variable in built.trained.variables} == own


def test_half_precision_trains_and_is_published_in_whole_precision(tmp_path: Path) -> None:
    chosen = config(mixed_precision=True)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        built = build(chosen)
        assert built.embedder.output.dtype == "float32"
        history = fit(built, *caches(tmp_path, chosen), chosen)
        after = built.embedder.get_weights()
        with in_place_of_the_real_one():
            served = network.in_float32(after, chosen.network)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(np.isfinite(epoch.loss) for epoch in history.epochs)
    assert {layer.compute_dtype for layer in served.layers} == {"float32"}
    assert {str(weight.dtype) for weight in served.weights} == {"float32"}
    assert all(np.array_equal(a, b) for a, b in zip(served.get_weights(), after, strict=True))
    # bfloat16 has eight bits: the same picture, nearly the same place.
    small = noise(4, 32)
    half = built.embedder.predict_on_batch(small)
    assert (served.predict_on_batch(small) * half).sum(axis=1).min() > 0.98
