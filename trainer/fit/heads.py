"""The heads on frozen features, each in closed form: a matter of seconds, and nothing to set."""

from app.bundle.whitening import fit_whitening
from trainer.fit import ladder
from trainer.fit.checkpoint import Weights
from trainer.fit.discriminant import fit_discriminant
from trainer.fit.task import HeadFeatures
from trainer.network.embedder import Network, as_head
from trainer.network.features import principal_axes


def fit_heads(network: Network, known: HeadFeatures) -> dict[str, Weights]:
    """Return the head of each rung whose backbone is the pretrained one.

    The features' principal axes and their partial whitening, which cost no labels, and their
    discriminant, which does.
    """
    dimension = _dimension(network, known)
    plain = principal_axes(known.vectors, dimension)
    whitening = fit_whitening(known.vectors, dimension)
    return {
        ladder.PRETRAINED: as_head(plain, network.head),
        ladder.ADAPTED: as_head(whitening, network.head),
        ladder.HEAD: fit_head(network, known),
    }


def fit_head(network: Network, known: HeadFeatures) -> Weights:
    """Return the head that tells the labels of those features apart."""
    linear = fit_discriminant(known.vectors, known.labels, _dimension(network, known))
    return as_head(linear, network.head)


def _dimension(network: Network, known: HeadFeatures) -> int:
    return int(min(network.head.units, known.vectors.shape[1]))
