"""The port that ``gemello serve`` takes."""

import socket

from gemello.commands.serve import listen


def test_answers_do_not_wait_for_the_callers_acknowledgement() -> None:
    with (
        listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
