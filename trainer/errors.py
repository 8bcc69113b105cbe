"""What can go wrong in training, in one sentence each.

TrainerError
├── ConfigError      an option is unknown or has an impossible value
├── DataError        the folder or CSV cannot be trained on
├── WeightsError     pretrained weights cannot be had
├── ReportError      a report cannot be written
├── NotShownBetter   the model is worse than what it began with, or was not measured
└── TrainingFailed   the network collapsed, or its loss is not a number

WorkerDone           not an error: of several workers only the first has a model to publish
"""

from app.errors import GemelloError


class TrainerError(GemelloError):
    """Base of the trainer's errors; ``str(error)`` is one sentence."""

    code = "training_error"
    title = "Training error"


class ConfigError(TrainerError):
    code = "training_config_invalid"
    title = "Invalid training configuration"


class DataError(TrainerError):
    code = "training_data_invalid"
    title = "Invalid training data"


class WeightsError(TrainerError):
    code = "weights_unavailable"
    title = "Pretrained weights unavailable"


class ReportError(TrainerError):
    code = "report_failed"
    title = "Report cannot be written"


class NotShownBetter(TrainerError):
    code = "model_not_shown_better"
    title = "Model not shown to be better"


class TrainingFailed(TrainerError):
    code = "training_failed"
    title = "Training failed"


class WorkerDone(Exception):
    """A worker that is not the first of several has trained along; the first one publishes."""
