"""The network that is exported: in float32, at the serving size, the pretrained features beside it."""

import math

import keras

from trainer.config import TrainConfig
from trainer.features import Floats
from trainer.network import Network, build, cut, pooled, preprocessed


def published(network: Network, config: TrainConfig, axes: Floats | None = None) -> keras.Model:
    """uint8 [N, S, S, 3] → unit float32 [N, D], S being ``config.published_size``.

    A network of convolutions takes any size. Trained on crops, it sees things larger than they are
    in whole pictures, so that a larger size may serve better: Touvron et al., "Fixing the
    train-test resolution discrepancy", arXiv:1906.06423.

    With ``config.keep`` the embedding is √(1 − keep) · trained, then √keep · pretrained, the latter
    along ``axes`` [F, ``config.keep_dimension``]: squared distances are the weighted mean of both,
    and what the backbone knew of pictures unlike the training's is not lost. Both share the stages
    that stayed frozen.
    """
    if config.keep and axes is None:
        raise ValueError("keep needs the axes of the pretrained features")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        resized = config.model_copy(update={"input_size": config.published_size})
        trained = build(resized)
        trained.embedder.set_weights(network.embedder.get_weights())
        if axes is None or not config.keep:
            return trained.embedder
        # The place is that of training: it is found by resolutions, which differ here.
        place = cut(network.backbone, config.frozen_stages)
        return _beside(trained, build(resized), place, axes, resized)
    finally:
        keras.config.set_dtype_policy(policy)


def _beside(
    trained: Network, pretrained: Network, place: int | None, axes: Floats, config: TrainConfig
) -> keras.Model:
    """Both above the trunk that ends at ``place``, joined."""
    images = keras.Input(trained.embedder.input_shape[1:], dtype="uint8", name="images")
    maps = preprocessed(config.backbone, images)
    if place is not None:
        trunk = keras.Model(
            trained.backbone.input, trained.backbone.layers[place].output, name="trunk"
        )
        maps = trunk(maps)
    parts = []
    for network, name in ((trained, "trained"), (pretrained, "pretrained")):
        backbone = network.backbone
        start = backbone.input if place is None else backbone.layers[place].output
        # With all stages frozen nothing is left above the trunk.
        whole = start is backbone.output
        above = maps if whole else keras.Model(start, backbone.output, name=f"{name}_tail")(maps)
        parts.append(pooled(config.pooling, above, f"{name}_pool"))
    kept = keras.layers.Dense(axes.shape[1], use_bias=False, name="kept")
    halves = [
        keras.layers.UnitNormalization(name="trained_unit")(trained.head(parts[0])),
        keras.layers.UnitNormalization(name="kept_unit")(kept(parts[1])),
    ]
    kept.set_weights([axes])
    weights = (math.sqrt(1 - config.keep), math.sqrt(config.keep))
    weighted = [
        keras.layers.Rescaling(weight, name=name)(half)
        for weight, half, name in zip(weights, halves, ("trained", "pretrained"), strict=True)
    ]
    embeddings = keras.layers.Concatenate(name="embeddings")(weighted)
    return keras.Model(images, embeddings, name="gemello")
