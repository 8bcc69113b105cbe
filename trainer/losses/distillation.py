"""Distillation of similarities: the student keeps what the teacher finds alike."""

from typing import Any

from keras import ops

from trainer.losses.distances import cosine_similarity, pair_masks
from trainer.losses.stats import masked_mean

Tensor = Any


def similarity_distillation(embeddings: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """Return the mean squared difference of two matrices of cosines over pairs of two classes; a float32 scalar.

    ``embeddings`` is float [N, D], ``teacher`` float [N, F]: the same images seen by another
    network, whose dimension may differ; no gradient reaches it. Pairs of one class of the int [N]
    ``labels`` are left to the loss, which is there to bring them nearer. It is 0–4. Relations instead of
    vectors are distilled by Park et al., arXiv:1904.05068, and Tung & Mori, arXiv:1907.09682.
    """
    target = ops.stop_gradient(cosine_similarity(teacher, teacher))
    difference = cosine_similarity(embeddings, embeddings) - target
    _, negatives = pair_masks(labels)
    return masked_mean(ops.square(difference), negatives)
