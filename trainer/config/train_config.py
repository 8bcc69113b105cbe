"""The whole configuration of a training run: its sections, and the few options of the run itself."""

from pydantic import Field, model_validator

from trainer.config.augment import AugmentConfig
from trainer.config.batch import BatchConfig
from trainer.config.data import DataConfig
from trainer.config.loss import LossConfig
from trainer.config.network import NetworkConfig
from trainer.config.optimizer import OptimizerConfig
from trainer.config.publish import PublishConfig
from trainer.config.section import Section


class TrainConfig(Section):
    """One run's configuration; it is written whole into the model's manifest."""

    seed: int = Field(0, ge=0, description="Seed of every random choice.")
    head_epochs: int = Field(5, ge=0, description="Epochs of the head alone, on frozen features.")
    epochs: int = Field(16, ge=0, description="Epochs of fine-tuning the whole network.")
    patience: int | None = Field(
        None, ge=1, description="Epochs without a better validation recall before it stops."
    )
    stop_if_failing: bool = Field(
        True,
        description="Stop a run that has collapsed or does not learn; false only warns, once.",
    )
    data: DataConfig = DataConfig()
    batch: BatchConfig = BatchConfig()
    network: NetworkConfig = NetworkConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    augment: AugmentConfig = AugmentConfig()
    publish: PublishConfig = PublishConfig()

    @model_validator(mode="after")
    def _sections_agree(self) -> "TrainConfig":
        if self.head_epochs + self.epochs == 0:
            raise ValueError("head_epochs and epochs are both 0, so nothing would be trained")
        unlike, served = self.network.keep_unlike, self.publish.serving_keep_unlike
        if served is not None and (unlike is None or served < self.network.keep):
            raise ValueError(
                "publish.serving_keep_unlike stands in for network.keep_unlike, which must be set, "
                "and is no smaller than network.keep"
            )
        if self.loss.name == "fixed_triplets" and (
            self.batch.single_images or self.batch.hard_classes
        ):
            raise ValueError(
                "batch.single_images and batch.hard_classes have no meaning with the loss "
                "fixed_triplets"
            )
        return self

    @property
    def published_network(self) -> NetworkConfig:
        """The network that is exported: the trained one, as ``[publish]`` changes it."""
        return self.network.model_copy(
            update={
                "input_size": self.publish.serving_size or self.network.input_size,
                "keep_unlike": self.publish.serving_keep_unlike or self.network.keep_unlike,
            }
        )
