"""Every option of a training run, in sections, typed, with its default and its reason."""

from trainer.config.augment import AugmentConfig
from trainer.config.batch import BatchConfig
from trainer.config.data import DataConfig
from trainer.config.frozen import head_alone, options_in_use
from trainer.config.loss import Loss, LossConfig, Mining
from trainer.config.names import option_names, options
from trainer.config.network import Backbone, NetworkConfig
from trainer.config.optimizer import OptimizerConfig
from trainer.config.reading import merged, nested, read_config, read_config_file
from trainer.config.train_config import TrainConfig

__all__ = [
    "AugmentConfig",
    "Backbone",
    "BatchConfig",
    "DataConfig",
    "Loss",
    "LossConfig",
    "Mining",
    "NetworkConfig",
    "OptimizerConfig",
    "TrainConfig",
    "head_alone",
    "merged",
    "nested",
    "option_names",
    "options",
    "options_in_use",
    "read_config",
    "read_config_file",
]
