"""The decode pool: order, errors as results, and a bounded queue."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.errors import ImageTooLarge, ImageTypeUnsupported, ImageUndecodable, Overloaded
from app.images.box import Box
from app.images.limits import DEFAULT_LIMITS, ImageLimits
from app.images.prepare import PreparedImage, prepare, thumbnail
from app.images.square import Resize
from app.inference import decode_pool as decoding
from app.inference.decode_pool import DecodePool
from tests.support.images import picture

PATIENCE_S = 10


def test_results_come_in_order_and_failures_are_among_them() -> None:
    pool = DecodePool(ImageLimits(max_bytes=50_000), threads=4)
    data = [picture(0), b"", picture(1, "JPEG"), b"text", bytes(50_001), picture(2)]
    results = pool.prepare(data, 32, "stretch")
    pool.close()
    kinds = [type(result) for result in results]
    assert kinds == [
        PreparedImage,
        ImageUndecodable,
        PreparedImage,
        ImageTypeUnsupported,
        ImageTooLarge,
        PreparedImage,
    ]
    for i in (0, 2, 5):
        result = results[i]
        assert isinstance(result, PreparedImage)
        assert np.array_equal(result.pixels, prepare(data[i], 32).pixels)


def test_nothing_gives_nothing() -> None:
    pool = DecodePool(DEFAULT_LIMITS)
    assert pool.prepare([], 32, "stretch") == []
    pool.close()


def test_a_full_queue_is_an_answer_and_room_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, released = threading.Event(), threading.Event()

    def slow(
        data: bytes, size: int, limits: ImageLimits, box: Box | None, resize: Resize
    ) -> PreparedImage:
        entered.set()
        assert released.wait(PATIENCE_S)
        return prepare(data, size, limits, box, resize)

    monkeypatch.setattr(decoding, "prepare", slow)
    pool = DecodePool(DEFAULT_LIMITS, threads=1, queue_size=3)
    answers: list[object] = []
    first = threading.Thread(
        target=lambda: answers.extend(pool.prepare([picture(0)] * 2, 32, "stretch"))
    )
    first.start()
    assert entered.wait(PATIENCE_S)
    with pytest.raises(Overloaded):
        pool.prepare([picture(1)] * 3, 32, "stretch")
    released.set()
    first.join(PATIENCE_S)
    assert len(answers) == 2
    for _ in range(3):
        assert len(pool.prepare([picture(1)] * 3, 32, "stretch")) == 3
    pool.close()


def test_no_more_than_the_threads_are_unpacked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, running, most = threading.Lock(), 0, 0
    both = threading.Barrier(2)

    def counted(
        data: bytes, size: int, limits: ImageLimits, box: Box | None, resize: Resize
    ) -> PreparedImage:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait(PATIENCE_S)
        with lock:
            running -= 1
        return prepare(data, size, limits, box, resize)

    monkeypatch.setattr(decoding, "prepare", counted)
    pool = DecodePool(DEFAULT_LIMITS, threads=2)
    assert len(pool.prepare([picture(0)] * 8, 32, "stretch")) == 8
    pool.close()
    assert most == 2


def test_thumbnails_are_made_no_more_than_the_threads_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def counted(data: bytes, side: int, limits: ImageLimits) -> bytes:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        small = thumbnail(data, side, limits)
        with lock:
            now -= 1
        return small

    monkeypatch.setattr(decoding, "thumbnail", counted)
    pool = DecodePool(DEFAULT_LIMITS, threads=2)
    with ThreadPoolExecutor(12) as callers:
        made = list(callers.map(lambda seed: pool.thumbnail(picture(seed), 32), range(24)))
    pool.close()
    assert made == [thumbnail(picture(seed), 32) for seed in range(24)]
    assert most <= 2


def test_a_thumbnail_of_a_broken_image_is_refused_and_a_full_queue_too() -> None:
    pool = DecodePool(DEFAULT_LIMITS, threads=1, queue_size=1)
    with pytest.raises(ImageUndecodable):
        pool.thumbnail(b"\x89PNG", 32)
    assert pool._room.acquire(blocking=False)
    with pytest.raises(Overloaded):
        pool.thumbnail(picture(1), 32)
    pool._room.release()
    assert pool.thumbnail(picture(1), 32)
    pool.close()
