"""What a decoding process answers, and that a lie is no answer."""

import pytest

from app.errors import ImageError, ImageTooLarge, ImageTypeUnsupported, ImageUndecodable
from app.images.estimate import Estimate
from app.images.formats import SUPPORTED
from app.images.limits import DEFAULT_LIMITS
from app.images.prepare import ModelInput, Thumbnail
from app.inference.decode_job import refused, result_of, succeeded
from tests.support.images import picture


@pytest.mark.parametrize(
    "error",
    [
        ImageUndecodable("its header is broken"),
        ImageTooLarge("pixels", 7, 5, "MAX_IMAGE_PIXELS"),
        ImageTooLarge("strips", 7, 5),
        ImageTypeUnsupported(SUPPORTED),
    ],
)
def test_a_refusal_arrives_as_it_was(error: ImageError) -> None:
    with pytest.raises(type(error)) as found:
        result_of(refused(error))
    assert str(found.value) == str(error)
    assert vars(found.value) == vars(error)


def test_a_result_arrives_as_it_was() -> None:
    wanted = Estimate(ModelInput(32))
    said = wanted.make(wanted.open(picture(1), DEFAULT_LIMITS))
    assert wanted.unpack(result_of(succeeded(wanted.pack(said)))) == said


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"x",
        b"\2",
        b"\2[1]",
        b'\2["a",1,2,3]',
        b"\2" + b"[" * 400,
        b"\0\xff",
        b"\0" + b"a" * 600,
    ],
)
def test_what_is_no_answer_is_known(answer: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        result_of(answer)


def test_what_cannot_have_been_made_is_known() -> None:
    wanted = ModelInput(4)
    good = wanted.pack(wanted.make(wanted.open(picture(1), DEFAULT_LIMITS)))
    assert wanted.unpack(good).width == 96
    for lie in (
        good[:8] + b"text/html".ljust(16, b"\0") + good[24:],
        bytes(8) + good[8:],
        good[1:],
    ):
        with pytest.raises(ValueError, match=r"."):
            wanted.unpack(lie)
    with pytest.raises(ValueError, match="no WebP"):
        Thumbnail(4).unpack(b"<html>")
    for cost in (b"", b"\xff" * 18):
        with pytest.raises(ValueError, match=r"."):
            Estimate(wanted).unpack(cost)
