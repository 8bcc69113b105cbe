"""What can go wrong in training, in one sentence each.

TrainerError
├── DataError        the folder or CSV cannot be trained on
├── WeightsError     pretrained weights cannot be had
└── TrainingFailed   the network collapsed, or its loss is not a number
"""

from app.errors import GemelloError


class TrainerError(GemelloError):
    """Base of the trainer's errors; ``str(error)`` is one sentence."""

    code = "training_error"
    title = "Training error"


class DataError(TrainerError):
    code = "training_data_invalid"
    title = "Invalid training data"


class WeightsError(TrainerError):
    code = "weights_unavailable"
    title = "Pretrained weights unavailable"


class TrainingFailed(TrainerError):
    code = "training_failed"
    title = "Training failed"
