"""``[loss]``: the loss function, and the pairs or triplets that it is computed of."""

from typing import Literal

from pydantic import Field

from trainer.config.section import Section

Loss = Literal["triplet", "contrastive", "multi_similarity"]
Mining = Literal["all", "semi_hard", "batch_hard", "distance_weighted"]


class LossConfig(Section):
    """A loss with its margin and its mining."""

    name: Loss = Field("multi_similarity", description="What is minimised.")
    mining: Mining = Field("batch_hard", description="Which triplets of the batch are used.")
    semi_hard_epochs: int = Field(
        1,
        ge=0,
        description="Fine-tuning epochs with semi-hard negatives before `loss.mining` takes over.",
    )
    margin: float = Field(
        0.1, gt=0, lt=2, description="Margin of triplet and contrastive loss, on unit vectors."
    )
    soft_margin: bool = Field(
        False, description="Triplet loss as softplus of the scaled difference, without a margin."
    )
    memory: int = Field(0, ge=0, description="Embeddings of past batches used as more negatives.")
