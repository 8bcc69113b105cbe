"""Where the options of version 0.1 are now; its configurations were flat."""

_SECTIONS = {
    "": ("seed", "head_epochs", "epochs", "patience", "stop_if_failing"),
    "data": ("validation_fraction", "test_fraction", "held_out_images", "head_images"),
    "batch": ("images_per_class", "hard_classes", "single_images", "steps_per_epoch"),
    "network": (
        *("backbone", "weights", "head", "dimension", "input_size", "frozen_stages"),
        *("keep", "keep_unlike", "keep_dimension"),
    ),
    "loss": ("mining", "semi_hard_epochs", "margin", "soft_margin", "memory", "distillation"),
    "optimizer": ("learning_rate", "head_learning_rate", "warmup", "ema", "mixed_precision"),
    "augment": (
        *("crop_area", "flip", "brightness", "contrast", "saturation", "hue", "grey", "rotate"),
        *("blur", "jpeg", "background", "padding", "overlay"),
    ),
    "publish": ("serving_size", "serving_keep_unlike", "blend"),
}
MOVED = {
    **{
        option: f"{section}.{option}" if section else option
        for section, options in _SECTIONS.items()
        for option in options
    },
    "loss": "loss.name",
    "classes_per_batch": "batch.classes",
}
"""Option of version 0.1 → where it is now."""

REMOVED: dict[str, object] = {
    "pooling": "avg",
    "head_init": "pca",
    "metric": "euclidean",
    "weight_decay": 1e-4,
}
"""Option that no longer exists → its default in version 0.1."""
