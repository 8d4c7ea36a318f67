"""`torch.testing.assert_close` against PyTorch's: what passes, what fails, and what it says."""

from __future__ import annotations

import math
import re

import pytest

import lampion

CASES = [
    ([1.0, 2.0], [1.0, 2.0], {}),
    ([1.0, 2.0], [1.0, 2.1], {}),
    ([1.0, 2.0], [1.0, 2.00001], {}),
    ([1.0, 2.0], [1.0, 2.1], {"rtol": 0.1, "atol": 0.0}),
    ([math.nan], [math.nan], {}),
    ([math.nan], [math.nan], {"equal_nan": True}),
    ([math.inf], [math.inf], {}),
    ([1, 2], [1, 3], {}),
    ([1, 2], [1.0, 2.0], {}),
    ([1, 2], [1.0, 2.0], {"check_dtype": False}),
    ([[1.0]], [1.0], {}),
    ([True], [False], {}),
    ([1 + 1j], [1 + 2j], {}),
]


@pytest.mark.parametrize("actual, expected, options", CASES)
def test_tensors(actual, expected, options):
    torch = pytest.importorskip("torch")
    texts = []
    for library in (torch, lampion):
        try:
            library.testing.assert_close(library.tensor(actual), library.tensor(expected),
                                         **options)
            texts.append(None)
        except AssertionError as error:
            # The differences themselves are rounded in one or the other precision.
            texts.append(re.sub(r"difference: \d[\d.e-]*", "difference: #", str(error)))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("actual, expected", [
    (1, 1.0), (1, 2), ([1, 2], [1, 2]), ([1, 2], [1, 3]), ([1], [1, 2]), ({"a": 1}, {"a": 1}),
    ({"a": 1}, {"b": 1}), ({"a": [1.0, 2.0]}, {"a": [1.0, 2.5]}), (None, None),
])
def test_structures(actual, expected):
    torch = pytest.importorskip("torch")
    outcomes = []
    for library in (torch, lampion):
        try:
            library.testing.assert_close(actual, expected)
            outcomes.append(True)
        except AssertionError as error:
            outcomes.append(str(error).splitlines()[0])
    assert (outcomes[0] is True) == (outcomes[1] is True)


def test_one_tolerance_alone_is_refused():
    with pytest.raises(ValueError, match="rtol and atol"):
        lampion.testing.assert_close(lampion.ones(1), lampion.ones(1), rtol=1e-3)


def test_the_message_can_be_changed():
    with pytest.raises(AssertionError, match="^mine$"):
        lampion.testing.assert_close(1, 2, msg="mine")
    with pytest.raises(AssertionError, match="^mine: Scalars"):
        lampion.testing.assert_close(1, 2, msg=lambda text: f"mine: {text}")
