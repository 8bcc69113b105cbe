"""The figures behind the plots, against naive loops."""

from dataclasses import replace

import numpy as np
import pytest

from trainer.evaluate.measurement import Measurement
from trainer.report import plots


def test_recall_at_k_and_separation_equal_naive_loops(measured: Measurement) -> None:
    expected = [float(np.mean([rank <= k for rank in measured.ranks])) for k in range(1, 31)]
    assert plots.recalls(measured, 30) == pytest.approx(expected)
    few = replace(
        measured,
        pairs=replace(
            measured.pairs,
            positive=np.array([0.1, 0.4, 0.5], np.float32),
            negative=np.array([0.4, 0.3, 0.9, 0.6], np.float32),
        ),
    )
    scores = [(p < n) + (p == n) / 2 for p in few.pairs.positive for n in few.pairs.negative]
    assert plots.separation(few) == pytest.approx(np.mean(scores))
