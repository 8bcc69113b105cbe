"""The decode pool: order, errors as results, bounds, and light images that wait for no heavy ones."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from app.errors import ImageTooLarge, ImageTypeUnsupported, ImageUndecodable, Overloaded
from app.images.limits import DEFAULT_LIMITS, ImageLimits
from app.images.opened import OpenedImage
from app.images.prepare import ModelInput, PreparedImage, prepare, thumbnail
from app.inference.decode_pool import DecodePool
from tests.support.avif import sequence
from tests.support.heic import greedy
from tests.support.images import encode, picture
from tests.support.paths import DATA
from tests.support.processes import highest, watch_highest

PATIENCE_S = 10
make = ModelInput.make


@pytest.fixture
def make_pool() -> Iterator[Callable[..., DecodePool]]:
    """Make pools that are closed in the end."""
    made: list[DecodePool] = []

    def pool(**options: int) -> DecodePool:
        made.append(DecodePool(DEFAULT_LIMITS, **options))
        return made[-1]

    yield pool
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def heavy() -> bytes:
    """A picture that takes 41 MB."""
    return encode(Image.new("RGB", (3200, 3200), (9, 99, 199)), compress_level=1)


def processes(pool: DecodePool) -> int:
    """How many processes a pool has started."""
    return sum(worker._running is not None for worker in pool._processes._idle.queue)


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


def test_a_full_queue_is_an_answer_and_room_comes_back(
    monkeypatch: pytest.MonkeyPatch, make_pool: Callable[..., DecodePool]
) -> None:
    entered, released = threading.Event(), threading.Event()

    def slow(wanted: ModelInput, opened: OpenedImage) -> PreparedImage:
        entered.set()
        assert released.wait(PATIENCE_S)
        return make(wanted, opened)

    monkeypatch.setattr(ModelInput, "make", slow)
    pool = make_pool(threads=1, queue_size=3)
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


def test_no_more_than_the_threads_are_unpacked_at_once(
    monkeypatch: pytest.MonkeyPatch, make_pool: Callable[..., DecodePool]
) -> None:
    lock, running, most = threading.Lock(), 0, 0
    both = threading.Barrier(2)

    def counted(wanted: ModelInput, opened: OpenedImage) -> PreparedImage:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait(PATIENCE_S)
        with lock:
            running -= 1
        return make(wanted, opened)

    monkeypatch.setattr(ModelInput, "make", counted)
    assert len(make_pool(threads=2).prepare([picture(0)] * 8, 32, "stretch")) == 8
    assert most == 2


def test_a_thumbnail_is_made_or_refused(make_pool: Callable[..., DecodePool]) -> None:
    pool = make_pool(threads=1, queue_size=1)
    assert pool.thumbnail(picture(1), 32) == thumbnail(picture(1), 32)
    with pytest.raises(ImageUndecodable):
        pool.thumbnail(b"\x89PNG", 32)
    assert pool._room.acquire(blocking=False)
    with pytest.raises(Overloaded):
        pool.thumbnail(picture(1), 32)
    pool._room.release()
    assert pool.thumbnail(picture(1), 32)


def test_heavy_images_are_decoded_in_a_process_and_light_ones_start_none(
    make_pool: Callable[..., DecodePool], heavy: bytes
) -> None:
    pool = make_pool(threads=4)
    pool.prepare([picture(seed) for seed in range(20)], 32, "stretch")
    pool.thumbnail(picture(1), 32)
    assert processes(pool) == 0
    found = pool.prepare([picture(0), heavy, b"text", heavy, heavy], 32, "stretch")
    assert processes(pool) > 0
    assert isinstance(found[2], ImageTypeUnsupported)
    for index, data in ((0, picture(0)), (1, heavy), (3, heavy), (4, heavy)):
        result = found[index]
        assert isinstance(result, PreparedImage)
        assert np.array_equal(result.pixels, prepare(data, 32).pixels)
    assert pool.thumbnail(heavy, 32) == thumbnail(heavy, 32)


def test_what_takes_more_than_the_setting_is_refused_before_it_is_touched(
    make_pool: Callable[..., DecodePool], heavy: bytes
) -> None:
    pool = make_pool(memory=40_000_000)
    refused, good = pool.prepare([heavy, picture(1)], 32, "stretch")
    assert isinstance(refused, ImageTooLarge)
    assert "the limit is 40,000,000 (GEMELLO_MAX_DECODE_MEMORY)" in str(refused)
    assert isinstance(good, PreparedImage)
    assert processes(pool) == 0
    assert isinstance(
        make_pool(memory=50_000_000).prepare([heavy], 32, "stretch")[0], PreparedImage
    )


def test_light_images_overtake_heavy_ones_and_those_that_wait_are_bounded(
    make_pool: Callable[..., DecodePool], heavy: bytes
) -> None:
    pool = make_pool(threads=2, heavy_callers=2, memory=50_000_000)
    with ThreadPoolExecutor(2) as callers:
        with pool._processes._memory.take(50_000_000):
            waiting = [callers.submit(pool.prepare, [heavy] * 3, 32, "stretch") for _ in range(2)]
            while pool._processes._callers._value:
                pass
            assert len(pool.prepare([picture(seed) for seed in range(8)], 32, "stretch")) == 8
            with pytest.raises(Overloaded):
                pool.prepare([heavy], 32, "stretch")
            assert not any(each.done() for each in waiting)
        for each in waiting:
            assert [type(result) for result in each.result()] == [PreparedImage] * 3


def test_a_picture_that_may_be_larger_than_its_header_says_is_decoded_in_a_process(
    make_pool: Callable[..., DecodePool],
) -> None:
    pool = make_pool()
    (found,) = pool.prepare([picture(1, "AVIF")], 32, "stretch")
    assert isinstance(found, PreparedImage)
    assert np.array_equal(found.pixels, prepare(picture(1, "AVIF"), 32).pixels)
    assert processes(pool) == 1


def test_headers_that_may_lead_astray_are_not_read_here(
    make_pool: Callable[..., DecodePool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object) -> None:
        pytest.fail("the header was read in the service")

    images = [picture(1, "AVIF"), (DATA / "photo7.heic").read_bytes(), picture(1, "TIFF")]
    expected = [prepare(data, 32) for data in images]
    unknown = b"\0\0\0\x20ftypqt  " + bytes(500)
    larger = encode(Image.new("1", (8000, 8000)), "TIFF")
    pool = make_pool()
    monkeypatch.setattr(OpenedImage, "__init__", opened)
    found = pool.prepare([*images, images[0][:200], unknown, larger], 32, "stretch")
    for result, here in zip(found, expected, strict=False):
        assert isinstance(result, PreparedImage)
        assert np.array_equal(result.pixels, here.pixels)
        assert (result.width, result.media_type) == (here.width, here.media_type)
    assert list(map(type, found[3:])) == [ImageUndecodable, ImageTypeUnsupported, ImageTooLarge]
    assert str(found[5]) == (
        "The image has 64,000,000 pixels; the limit is 50,000,000 (GEMELLO_MAX_IMAGE_PIXELS)."
    )


def test_a_header_that_is_dear_to_read_costs_its_image_alone(
    make_pool: Callable[..., DecodePool],
) -> None:
    pool = make_pool()
    dear, greedy_one = sequence(9_000), greedy(200, 30, bytes(2_000_000))
    watch_highest()
    memory, start = highest(), time.process_time()
    refused = pool.prepare([greedy_one, dear], 32, "stretch")[0]
    assert isinstance(refused, ImageUndecodable)
    assert time.process_time() - start < 0.5
    assert highest() - memory < 50_000_000
    (found,) = pool.prepare([picture(1, "AVIF")], 32, "stretch")
    assert isinstance(found, PreparedImage)
