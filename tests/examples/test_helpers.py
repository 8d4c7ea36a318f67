"""What the examples share: their docstrings hold, curves are drawn with and without matplotlib."""

import doctest
import importlib
import random
import sys
from pathlib import Path

import numpy as np
import pytest

import lampion
from lampion.vision import read_picture

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def module(name, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module(name)


@pytest.mark.parametrize(
    "name", ["progress", "shakespeare", "translation", "sentiment", "classify_names"])
def test_docstrings(name, monkeypatch):
    result = doctest.testmod(module(name, monkeypatch))
    assert result.attempted > 0 and result.failed == 0


@pytest.fixture(params=["matplotlib", "plain"])
def charts(request, monkeypatch):
    if request.param == "matplotlib":
        pytest.importorskip("matplotlib", reason="pip install 'lampion[plot]'")
    else:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # importing it fails
    return module("charts", monkeypatch)


def test_curves(charts, tmp_path):
    charts.lines(tmp_path / "a.png", {"up": [1.0, 2.0, 3.0], "gap": ([0, 2, 4], [3, np.nan, 1])},
                 "title", "x", "y", marks=[(1, 2)])
    picture = read_picture(tmp_path / "a.png").astype(int)
    blue = (picture[:, :, 2] > picture[:, :, 0] + 80).any()
    red = ((picture[:, :, 0] > picture[:, :, 1] + 20) & (picture[:, :, 1] > 150)).any()
    assert blue and red


@pytest.mark.parametrize("values", [[[0.0, 1.0], [0.5, 0.2]], [[3.0, 3.0]]])
def test_maps(charts, tmp_path, values):
    rows = [f"row {k}" for k in range(len(values))]
    charts.heat_map(tmp_path / "a.png", values, rows, ["one", "two"])
    assert read_picture(tmp_path / "a.png").shape[1] > 40


def test_points(charts, tmp_path):
    charts.points(tmp_path / "a.png", [[0.0, 1.0], [2.0, 3.0], [1.0, 1.0]], ["a", "b", "c"])
    assert (read_picture(tmp_path / "a.png") != 255).any()


def test_bleu_by_hand(monkeypatch):
    bleu = module("translation", monkeypatch).bleu
    said = "the cat sat on the mat today".split()
    truth = ["the cat sat on a mat now".split(), "today the cat sat there".split()]
    # Runs found in a reference: 6 of 7, 3 of 6, 2 of 5, 1 of 4; as long as the nearer reference.
    runs = (6 / 7) * (3 / 6) * (2 / 5) * (1 / 4)
    assert bleu([said], [truth]) == pytest.approx(100 * runs**0.25)
    short = said[:5]
    precision = (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25  # "the" stands once in the reference
    assert bleu([short], [truth[:1]]) == pytest.approx(100 * precision * np.exp(1 - 7 / 5))
    assert bleu([["no"]], [[["yes"]]]) == 0.0


def test_no_sentence_of_the_test_is_trained_on(monkeypatch):
    translation = module("translation", monkeypatch)
    lampion.manual_seed(0)
    random.seed(0)
    pairs = [([f"e{random.randrange(60)}"], [f"f{random.randrange(80)}"]) for _ in range(300)]
    train, test = translation.keep_apart(pairs)
    assert len(test) >= 5
    seen = {" ".join(english) for english, _ in train}, {" ".join(french) for _, french in train}
    for french, several in test.items():
        assert french not in seen[1]
        assert not {" ".join(english) for english in several} & seen[0]
