"""``[batch]``: how many classes and images a batch has, and how they are sampled."""

from pydantic import Field

from trainer.config.section import Section


class BatchConfig(Section):
    """P classes × K images."""

    classes: int = Field(32, ge=2, description="P: classes in a batch.")
    images_per_class: int = Field(
        3, ge=2, description="K: images of each class in a batch, or more where classes are few."
    )
    hard_classes: float = Field(
        0.0, ge=0, le=1, description="Share of a batch's classes that are neighbours of each other."
    )
    single_images: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of a batch's classes that have one image: its positives are its own "
        "augmentations.",
    )
    steps_per_epoch: int | None = Field(
        None, ge=1, description="Batches in an epoch, where it is not as many images as there are."
    )

    @property
    def size(self) -> int:
        """Images in a batch."""
        return self.classes * self.images_per_class
