"""What Prometheus is told."""

from app.errors import StorageUnavailable
from app.telemetry.metrics import Metrics


def test_a_number_that_cannot_be_read_hides_no_other() -> None:
    def broken() -> float:
        raise StorageUnavailable("the database is gone")

    metrics = Metrics()
    metrics.gauge("gemello_broken", "Cannot be read.", broken)
    metrics.gauge("gemello_images", "Can be read.", lambda: 3.0)
    text = metrics.render().decode()
    assert "\ngemello_broken NaN\n" in text
    assert "\ngemello_images 3.0\n" in text
