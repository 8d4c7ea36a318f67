"""What the digit examples do with pictures."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).resolve().parents[2] / "examples" / "digit_pictures.py"
spec = importlib.util.spec_from_file_location("digit_pictures", PATH)
pictures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pictures)


def test_a_28x28_picture_on_black_is_left_alone():
    digit = np.zeros((28, 28), dtype=np.uint8)
    digit[5:20, 10:14] = 200
    assert np.array_equal(pictures.as_mnist(digit), digit)
    assert np.array_equal(pictures.as_mnist(255 - digit), digit)  # dark on light


@pytest.mark.parametrize("light_paper", [False, True])
def test_other_pictures_are_centred_in_20x20(light_paper):
    photo = np.zeros((120, 200), dtype=np.uint8)
    photo[30:90, 20:40] = 180
    result = pictures.as_mnist(255 - photo if light_paper else photo)
    assert result.shape == (28, 28) and result.dtype == np.uint8
    rows, columns = np.nonzero(result)
    assert rows.max() - rows.min() + 1 == 20
    assert abs((rows.min() + rows.max()) / 2 - 13.5) <= 1
    assert abs((columns.min() + columns.max()) / 2 - 13.5) <= 1
    assert result.max() == 255


def test_an_empty_picture_is_refused():
    with pytest.raises(SystemExit, match="empty"):
        pictures.as_mnist(np.full((50, 50), 255, dtype=np.uint8))


def test_resize_keeps_the_mean():
    picture = np.random.default_rng(0).random((13, 17))
    for size in ((5, 4), (13, 17), (20, 31)):
        small = pictures.resize(picture, *size)
        assert small.shape == size
        assert abs(small.mean() - picture.mean()) < 1e-12
    assert np.allclose(pictures.resize(picture, 13, 17), picture)
