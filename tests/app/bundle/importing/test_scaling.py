"""Mean and deviation: two scales that people write them in, and what fits neither."""

import pytest

from app.bundle.importing.scaling import scaling
from app.errors import ParameterInvalid

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_both_scales_mean_the_same() -> None:
    small = scaling(*IMAGENET)
    large = scaling(*(tuple(255 * n for n in numbers) for numbers in IMAGENET))
    assert (small.mean, small.std) == IMAGENET
    assert large.mean == pytest.approx(small.mean)
    assert large.std == pytest.approx(small.std)


def test_one_number_stands_for_three() -> None:
    assert scaling([0.5], [0.5]) == scaling([0.5] * 3, [0.5] * 3)
    assert scaling([0], [1]).std == (1, 1, 1)


def test_what_caffe_wants_is_a_mean_alone() -> None:
    scaled = scaling([104, 117, 123], [1])
    assert scaled.mean == pytest.approx((104 / 255, 117 / 255, 123 / 255))
    assert scaled.std == pytest.approx((1 / 255,) * 3)


@pytest.mark.parametrize(
    ("mean", "std", "name"),
    [
        ([0.5, 0.5], [0.5], "mean"),
        ([0.5], [], "std"),
        ([-0.1], [0.5], "mean"),
        ([256], [1], "mean"),
        ([0.5], [0], "std"),
        ([0.5], [-1], "std"),
        ([0.5], [256], "std"),
        ([float("nan")], [1], "mean"),
        ([0.5], [float("inf")], "std"),
        ([0.485, 0.456, 0.406], [58.4, 57.1, 57.4], "mean"),
        ([123.7, 116.3, 103.5], [0.229, 0.224, 0.225], "mean"),
    ],
)
def test_what_fits_no_scale_is_refused(mean: list[float], std: list[float], name: str) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        scaling(mean, std)
    assert caught.value.name == name
    assert "\n" not in str(caught.value)
