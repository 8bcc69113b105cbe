"""What the service answers, with examples for the documentation; ``of`` takes the domain's types."""

from app.api.responses.gallery import (
    AddAnswer,
    DuplicatesAnswer,
    Group,
    Item,
    ListAnswer,
    Removed,
    Stats,
)
from app.api.responses.health import GalleryInfo, Health, HealthModel, Live
from app.api.responses.images import Image, Result
from app.api.responses.jobs import Job, JobAnswer, JobError, JobsAnswer
from app.api.responses.models import Model, ModelInfo, ModelsAnswer
from app.api.responses.problems import ItemError, ParameterError, Problem
from app.api.responses.search import (
    BatchAnswer,
    BatchItem,
    Comparison,
    EmbedAnswer,
    EmbedItem,
    Page,
    Query,
    SearchAnswer,
)

__all__ = [
    "AddAnswer",
    "BatchAnswer",
    "BatchItem",
    "Comparison",
    "DuplicatesAnswer",
    "EmbedAnswer",
    "EmbedItem",
    "GalleryInfo",
    "Group",
    "Health",
    "HealthModel",
    "Image",
    "Item",
    "ItemError",
    "Job",
    "JobAnswer",
    "JobError",
    "JobsAnswer",
    "ListAnswer",
    "Live",
    "Model",
    "ModelInfo",
    "ModelsAnswer",
    "Page",
    "ParameterError",
    "Problem",
    "Query",
    "Removed",
    "Result",
    "SearchAnswer",
    "Stats",
]
