"""The example programs, shortened, run as a reader runs them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lampion.vision import mnist, read_picture, write_png

ROOT = Path(__file__).resolve().parents[2]


def run(script, *arguments, cwd):
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / script), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train on a tenth of the pictures, once for all tests here."""
    folder = tmp_path_factory.mktemp("lenet5")
    short = ("--limit", 6000, "--epochs", 1, "--batch-size", 32)
    result = run("lenet5.py", *short, cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


def test_it_learns(trained):
    _, output = trained
    # 95.8 to 96.0 % over seeds; a network that does not learn has 10 %.
    accuracy = float(output.split("test accuracy: ")[1].split("%")[0])
    assert accuracy > 94.5


def test_what_it_prints(trained):
    _, output = trained
    assert "61,706 weights" in output  # the number of weights of LeNet-5 with full connections
    assert "epoch 1/1" in output and "loss" in output and "s left" in output
    rows = [line.split() for line in output.splitlines() if line.endswith("%")]
    table = [row for row in rows if len(row) == 12]
    assert [row[0] for row in table] == list("0123456789")
    counts = np.array([[0 if cell == "." else int(cell) for cell in row[1:11]] for row in table])
    assert counts.sum() == 10000 and counts.sum(1)[0] == 980
    assert "read as" in output


def test_the_picture_of_mistakes(trained):
    folder, _ = trained
    sheet = read_picture(folder / "runs" / "lenet5" / "misread.png")
    assert sheet.ndim == 3 and sheet.shape[1] == 960
    assert (sheet == 255).any()


def test_the_printed_command_reads_the_digit(trained):
    folder, output = trained
    words = output.strip().splitlines()[-1].split()
    assert words[0] == sys.executable
    result = run(Path(words[1]).name, *words[2:], cwd=folder)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith("this is a 7")


def test_a_large_dark_on_light_photo_is_read_too(trained):
    """The first test digit, a seven, blown up and inverted, off centre on a large sheet."""
    folder, _ = trained
    pictures, _ = mnist.load(ROOT / "data" / "mnist", train=False)
    photo = np.full((300, 400), 230, dtype=np.uint8)
    photo[100:268, 20:188] -= (pictures[0].repeat(6, 0).repeat(6, 1) * 0.8).astype(np.uint8)
    write_png(folder / "photo.png", photo)
    result = run("classify_digit.py", "photo.png", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "this is a 7" in result.stdout


def test_a_number_of_the_test_set(trained):
    folder, _ = trained
    result = run("classify_digit.py", "2", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "its label is 1" in result.stdout and "this is a 1" in result.stdout


def test_clear_words_when_something_is_not_there(trained, tmp_path):
    folder, _ = trained
    assert (
        "there is no picture nothing.png"
        in run("classify_digit.py", "nothing.png", cwd=folder).stderr
    )
    assert "python examples/lenet5.py" in run("classify_digit.py", "0", cwd=tmp_path).stderr
    missing = run("lenet5.py", "--data", tmp_path, cwd=tmp_path)
    assert missing.returncode == 1 and "there is no file" in missing.stderr
