"""``[data]``: which images are held out, and how many are used."""

from pydantic import Field, model_validator

from trainer.config.section import Section


class DataConfig(Section):
    """How the images are divided."""

    validation_fraction: float = Field(
        0.1, ge=0, lt=1, description="Share of the classes that are held out to validate."
    )
    test_fraction: float = Field(
        0.1, ge=0, lt=1, description="Share of the classes that are held out to test."
    )
    held_out_images: int = Field(
        5000,
        ge=100,
        description="Most images to validate with, and to test with: whole classes, drawn at random.",
    )
    head_images: int = Field(
        10_000, ge=2, description="Most images whose features the heads are fitted on."
    )

    @model_validator(mode="after")
    def _leaves_classes_to_train_on(self) -> "DataConfig":
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction leave no class to train on")
        return self
