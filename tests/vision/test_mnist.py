"""MNIST is read as it was written, and a missing or damaged file is named."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from lampion.errors import FileFormatError
from lampion.vision import MNIST, mnist

FOLDER = Path(__file__).resolve().parents[2] / "data" / "mnist"


def test_test_set():
    digits = MNIST(FOLDER, train=False)
    assert len(digits) == 10000
    assert tuple(digits.data.shape) == (10000, 28, 28)
    # The counts of each digit, as everyone finds them in this file.
    assert np.bincount(digits.targets.numpy()).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    picture, label = digits[0]
    assert tuple(picture.shape) == (1, 28, 28) and label == 7
    assert float(picture.max()) == 1.0 and float(picture.min()) == 0.0
    assert np.array_equal(
        (picture.numpy()[0] * 255).round(), digits.data[0].numpy().astype(np.float32)
    )


def test_training_set_mean_is_the_known_one():
    pictures, labels = mnist.load(FOLDER, train=True)
    assert pictures.shape == (60000, 28, 28) and labels.shape == (60000,)
    assert abs(pictures.mean() / 255 - 0.1307) < 1e-4
    assert abs(pictures.std() / 255 - 0.3081) < 1e-4


def test_transforms():
    digits = MNIST(FOLDER, train=False, transform=lambda p: p + 1, target_transform=str)
    picture, label = digits[3]
    assert label == "0" and float(picture.min()) == 1.0


def test_missing_file(tmp_path):
    with pytest.raises(FileFormatError, match="there is no file .*t10k-images-idx3-ubyte.gz"):
        MNIST(tmp_path, train=False)


def test_damaged_file(tmp_path):
    for name in mnist.CHECKSUMS:
        if name.startswith("t10k"):
            shutil.copy(FOLDER / name, tmp_path)
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(labels.read_bytes())
    content[1000] ^= 1
    labels.write_bytes(content)
    with pytest.raises(FileFormatError, match="(?s)damaged.*SHA-256"):
        MNIST(tmp_path, train=False)


IDX = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(6))


def test_idx_with_and_without_gzip():
    for content in (IDX, gzip.compress(IDX)):
        assert mnist.read_idx(content).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    "content",
    [b"", IDX[:3], IDX[:8], IDX[:-1], IDX + b"x", b"\0\0\x0d" + IDX[3:], gzip.compress(IDX)[:-9]],
    ids=["nothing", "3 bytes", "8 bytes", "cut", "too long", "floats", "cut gzip"],
)
def test_bad_idx(content):
    with pytest.raises(FileFormatError):
        mnist.read_idx(content)
