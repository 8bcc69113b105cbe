"""Where the options of version 0.1 are now; its configurations were flat."""

_SECTIONS = {
    "": ("seed", "epochs"),
    "data": ("validation_fraction", "test_fraction", "held_out_images", "head_images"),
    "batch": ("images_per_class", "hard_classes", "single_images", "steps_per_epoch"),
    "network": ("backbone", "weights", "dimension", "input_size", "frozen_stages"),
    "loss": ("mining", "semi_hard_epochs", "margin", "soft_margin", "memory"),
    "optimizer": ("learning_rate", "warmup", "ema", "mixed_precision"),
    "augment": (
        *("crop_area", "flip", "brightness", "contrast", "saturation", "hue", "grey", "rotate"),
        *("blur", "jpeg", "background", "padding", "overlay"),
    ),
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
