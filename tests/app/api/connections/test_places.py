"""Who may hold a connection when there are more clients than places."""

from itertools import count

import pytest
from structlog.testing import capture_logs

from app.api.connections.places import Places


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Client:
    """A connection that does as it is told."""

    def __init__(self, places: Places, address: str = "a", unread: int = 0) -> None:
        self._places, self.address, self.left = places, address, unread
        self.gone = ""
        self.held = places.admit(self)

    def unread(self) -> int:
        return self.left

    def give_way(self) -> None:
        self._end("gave way")

    def expire(self) -> None:
        self._end("expired")

    def _end(self, how: str) -> None:
        self.gone = how
        self._places.leave(self)


def waiting(places: Places, number: int, address: str = "a") -> list[Client]:
    clients = []
    for _ in range(number):
        clients.append(Client(places, address))
        places.wait(clients[-1], 10)
    return clients


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def places(clock: Clock) -> Places:
    return Places(8, clock)


def test_a_newcomer_gets_the_place_of_who_waits_longest(places: Places) -> None:
    first, second, *_ = waiting(places, 6)
    places.work(first)
    assert Client(places).held
    assert (first.gone, second.gone) == ("", "gave way")
    places.wait(first, 10)
    Client(places)
    assert first.gone == "", "it begins to wait anew"


def test_who_is_worked_for_never_gives_way(places: Places) -> None:
    for client in waiting(places, 6):
        places.work(client)
    assert not Client(places).held
    assert Client(places, "b").held, "one address has a part of all places alone"


def test_the_address_with_the_most_gives_way(places: Places) -> None:
    first = waiting(places, 3, "b")
    crowd = waiting(places, 5, "c")
    assert Client(places, "d").held
    assert [client.gone for client in first] == [""] * 3
    assert crowd[0].gone == "gave way"


def test_deadlines_are_kept_and_nobody_else_is_touched(places: Places, clock: Clock) -> None:
    late, working, patient = waiting(places, 3)
    places.work(working)
    places.wait(patient)
    clock.now = 9.9
    places.sweep()
    assert late.gone == ""
    clock.now = 10.0
    places.sweep()
    assert (late.gone, working.gone, patient.gone) == ("expired", "", "")


def readers(places: Places, *unread: int) -> list[Client]:
    clients = [Client(places, unread=size) for size in unread]
    for client in clients:
        places.wait(client, 10, for_reader=True)
    return clients


def test_who_reads_nothing_is_cut_off_while_too_much_is_unread(
    places: Places, clock: Clock
) -> None:
    idle, small, reading = readers(places, 60_000_000, 50_000_000, 70_000_000)
    for now in range(1, 7):
        reading.left -= 1_000_000
        clock.now = now
        places.sweep()
        assert idle.gone == ("" if now < 5 else "gave way")
    assert (small.gone, reading.gone) == ("", ""), "what is left fits"


def test_at_the_end_of_memory_so_is_whoever_leaves_most(places: Places) -> None:
    larger, smaller = readers(places, 400_000_000, 200_000_000)
    places.sweep()
    assert (larger.gone, smaller.gone) == ("gave way", "")


def test_a_crowd_is_said_once_and_its_end_too(places: Places, clock: Clock) -> None:
    with capture_logs() as lines:
        waiting(places, 100)
        places.out_of_descriptors()
        for now in count(1):
            clock.now = now
            places.sweep()
            if now == 30:
                break
    assert [line["log_level"] for line in lines] == ["warning", "info"]
    assert (lines[1]["closed"], lines[1]["refused"]) == (94, 1)
