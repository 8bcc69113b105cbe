"""As many connections as there are descriptors for."""

import asyncio
import resource

import pytest
from structlog.testing import capture_logs

from app.api.connections.server import (
    Server,
    ServerConfig,
    connections_for,
    raise_descriptor_limit,
)


async def app(*_: object) -> None:
    pass


@pytest.mark.parametrize(("descriptors", "connections"), [(1024, 448), (256, 64), (64, 8)])
def test_each_connection_leaves_a_descriptor_for_a_file(descriptors: int, connections: int) -> None:
    assert connections_for(descriptors) == connections


def test_more_than_memory_is_for_are_never_held() -> None:
    assert connections_for(1_000_000) == 4000


def test_the_limit_of_descriptors_is_raised_as_far_as_it_may_be() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        raise_descriptor_limit()
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert raised[0] > 256
        assert raised[1] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_no_line_is_written_for_each_connection_that_the_system_has_no_room_for() -> None:
    async def flood() -> None:
        server = Server(ServerConfig(app))
        loop = asyncio.get_running_loop()
        for _ in range(1000):
            server._handle(loop, {"message": "socket.accept() out of system resource"})

    with capture_logs() as lines:
        asyncio.run(flood())
    assert len(lines) == 1
