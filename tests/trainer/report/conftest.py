"""A measurement that the tests of a report share."""

import pytest

from app.testing import FakeEncoder
from tests.support.drawings import draw_classes
from trainer.data.records import read_data
from trainer.evaluate.measurement import Measurement
from trainer.evaluate.retrieval import measure_records


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measurement:
    data = draw_classes(tmp_path_factory.mktemp("measured") / "data", 15, 3)
    return measure_records(FakeEncoder(), read_data(data))
