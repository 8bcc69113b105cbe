"""Joining requests: order, limits, poison, and a clean end."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from app.errors import NotReady, Overloaded
from app.inference.batcher import Batcher
from app.testing import FakeEncoder

PATIENCE_S = 10


class Recorder(FakeEncoder):
    """Notes the size of each inference; waits while held; cannot stand a white image."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.entered = threading.Event()
        self.released = threading.Event()
        self.released.set()

    def embed(self, images: np.ndarray) -> np.ndarray:
        self.sizes.append(len(images))
        self.entered.set()
        assert self.released.wait(PATIENCE_S)
        if (images == 255).all(axis=(1, 2, 3)).any():
            raise RuntimeError("poison")
        return super().embed(images)

    def hold(self) -> None:
        self.entered.clear()
        self.released.clear()


@pytest.fixture
def encoder() -> Recorder:
    return Recorder()


Make = Callable[..., Batcher]


@pytest.fixture
def make(encoder: Recorder) -> Iterator[Make]:
    made: list[Batcher] = []

    def batcher(**options: Any) -> Batcher:
        made.append(Batcher(encoder, **options))
        return made[-1]

    yield batcher
    encoder.released.set()
    for each in made:
        each.close()


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 250, (count, 32, 32, 3)).astype(np.uint8)


WHITE = np.full((1, 32, 32, 3), 255, np.uint8)


def held(batcher: Batcher, encoder: Recorder) -> None:
    """Keep the batcher busy with one image until ``encoder.released`` is set."""
    encoder.hold()
    batcher.submit(images(1, 99))
    assert encoder.entered.wait(PATIENCE_S)


def test_what_waits_is_joined_and_everyone_gets_their_own(encoder: Recorder, make: Make) -> None:
    batcher = make(max_batch=16)
    held(batcher, encoder)
    batches = [images(1 + seed % 3, seed) for seed in range(7)]
    futures = [batcher.submit(batch) for batch in batches]
    assert batcher.depth == 7
    encoder.released.set()
    for batch, future in zip(batches, futures, strict=True):
        assert np.array_equal(future.result(PATIENCE_S), FakeEncoder().embed(batch))
    assert encoder.sizes == [1, sum(len(batch) for batch in batches)]
    assert batcher.depth == 0


def test_no_inference_is_larger_than_the_limit(encoder: Recorder, make: Make) -> None:
    batcher = make(max_batch=4)
    held(batcher, encoder)
    batches = [images(3, seed) for seed in range(5)] + [images(1, 9), images(4, 10)]
    futures = [batcher.submit(batch) for batch in batches]
    encoder.released.set()
    for batch, future in zip(batches, futures, strict=True):
        assert np.array_equal(future.result(PATIENCE_S), FakeEncoder().embed(batch))
    assert encoder.sizes == [1, 3, 3, 3, 3, 4, 4]


def test_a_large_call_is_cut_in_slices(encoder: Recorder, make: Make) -> None:
    batch = images(10)
    assert np.array_equal(make(max_batch=4).embed(batch), FakeEncoder().embed(batch))
    assert encoder.sizes == [4, 4, 2]


def test_no_image_gives_no_vector(make: Make) -> None:
    assert make().embed(images(0)).shape == (0, 48)


def test_a_full_queue_is_an_answer(encoder: Recorder, make: Make) -> None:
    batcher = make(queue_size=2)
    held(batcher, encoder)
    waiting = [batcher.submit(images(1, seed)) for seed in range(2)]
    with pytest.raises(Overloaded) as caught:
        batcher.submit(images(1))
    assert caught.value.retry_after_s >= 1
    encoder.released.set()
    assert all(future.result(PATIENCE_S).shape == (1, 48) for future in waiting)
    assert batcher.embed(images(1)).shape == (1, 48)


def test_a_poisonous_image_fails_alone(encoder: Recorder, make: Make) -> None:
    batcher = make()
    held(batcher, encoder)
    good, bad, also_good = (batcher.submit(i) for i in (images(2), WHITE, images(1, 5)))
    encoder.released.set()
    assert np.array_equal(good.result(PATIENCE_S), FakeEncoder().embed(images(2)))
    assert np.array_equal(also_good.result(PATIENCE_S), FakeEncoder().embed(images(1, 5)))
    with pytest.raises(RuntimeError, match="poison"):
        bad.result(PATIENCE_S)
    with pytest.raises(RuntimeError, match="poison"):
        batcher.embed(WHITE)
    assert batcher.embed(images(1)).shape == (1, 48)


def test_a_caller_who_gave_up_harms_nobody(encoder: Recorder, make: Make) -> None:
    batcher = make()
    encoder.hold()
    running = batcher.submit(images(1))
    assert encoder.entered.wait(PATIENCE_S)
    waiting, other = batcher.submit(images(1, 1)), batcher.submit(images(1, 2))
    running.cancel()
    assert waiting.cancel()
    encoder.released.set()
    assert other.result(PATIENCE_S).shape == (1, 48)
    assert encoder.sizes == [1, 1], "a cancelled image costs no inference"
    assert batcher.embed(images(1)).shape == (1, 48)


def test_the_last_success_is_noted(make: Make) -> None:
    batcher = make()
    assert batcher.last_success == float("-inf")
    with pytest.raises(RuntimeError):
        batcher.embed(WHITE)
    assert batcher.last_success == float("-inf")
    before = time.monotonic()
    batcher.embed(images(1))
    assert before <= batcher.last_success <= time.monotonic()


def test_closing_finishes_what_is_queued_and_takes_nothing_more(
    encoder: Recorder, make: Make
) -> None:
    batcher = make(max_batch=2)
    held(batcher, encoder)
    futures = [batcher.submit(images(1, seed)) for seed in range(5)]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    deadline = time.monotonic() + PATIENCE_S
    with pytest.raises(NotReady):
        while time.monotonic() < deadline:
            batcher.submit(images(1, 50)).add_done_callback(lambda _: None)
            time.sleep(0.001)
    encoder.released.set()
    closing.join(PATIENCE_S)
    assert not closing.is_alive()
    for seed, future in enumerate(futures):
        assert np.array_equal(future.result(0), FakeEncoder().embed(images(1, seed)))
    with pytest.raises(NotReady):
        batcher.embed(images(1))
    batcher.close()


def test_whoever_submits_while_it_closes_is_answered(make: Make) -> None:
    """Either with a vector or with NotReady: nobody waits for ever."""
    for _ in range(30):
        batcher = make()
        answers: list[str] = []

        def ask(batcher: Batcher = batcher, answers: list[str] = answers) -> None:
            try:
                while True:
                    batcher.submit(images(1)).result(PATIENCE_S)
            except NotReady:
                answers.append("not ready")

        callers = [threading.Thread(target=ask) for _ in range(4)]
        for caller in callers:
            caller.start()
        batcher.close()
        for caller in callers:
            caller.join(PATIENCE_S)
        assert answers == ["not ready"] * 4


def test_waits_and_inferences_are_timed(make: Make, encoder: Recorder) -> None:
    seen: list[tuple[str, float]] = []
    batcher = make(observe=lambda stage, seconds: seen.append((stage, seconds)))
    held(batcher, encoder)
    waiting = [batcher.submit(images(1, seed)) for seed in (1, 2)]
    time.sleep(0.05)
    encoder.released.set()
    for future in waiting:
        future.result(PATIENCE_S)
    stages = [stage for stage, _ in seen]
    assert stages == ["queue", "inference", "queue", "queue", "inference"]
    assert min(seconds for stage, seconds in seen[2:4]) >= 0.05
