import pytest


@pytest.fixture
def times(request: pytest.FixtureRequest) -> int:
    """How many times as long a fault is tried as it takes to see that the test works (``--times``)."""
    return int(request.config.getoption("--times"))
