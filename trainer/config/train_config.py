"""The whole configuration of a training run: its sections, and the few options of the run itself."""

from pydantic import Field

from trainer.config.augment import AugmentConfig
from trainer.config.batch import BatchConfig
from trainer.config.data import DataConfig
from trainer.config.loss import LossConfig
from trainer.config.network import NetworkConfig
from trainer.config.optimizer import OptimizerConfig
from trainer.config.section import Section


class TrainConfig(Section):
    """One run's configuration; it is written whole into the model's manifest."""

    seed: int = Field(0, ge=0, description="Seed of every random choice.")
    epochs: int = Field(3, ge=0, description="Epochs of fine-tuning the whole network.")
    data: DataConfig = DataConfig()
    batch: BatchConfig = BatchConfig()
    network: NetworkConfig = NetworkConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    augment: AugmentConfig = AugmentConfig()
