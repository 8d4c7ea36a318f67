"""Tensors print exactly as in PyTorch: a table of literal texts, and PyTorch itself as oracle."""

import math

import numpy as np
import pytest

from lampion import errors, printing

try:
    import torch
except ImportError:  # the literal table still runs
    torch = None

NAN, INF = math.nan, math.inf


def text(values, dtype="float32", default="float32", **keywords):
    stored = "float32" if dtype == "bfloat16" else dtype
    return printing.format_tensor(
        np.array(values, stored), dtype, default_dtype=dtype == default, **keywords
    )


# (values, dtype, what PyTorch 2.13 prints)
LITERAL = [
    (1.0, "float32", "tensor(1.)"),
    (0.5, "float32", "tensor(0.5000)"),
    (3, "int64", "tensor(3)"),
    (True, "bool", "tensor(True)"),
    ([], "float32", "tensor([])"),
    ([], "int64", "tensor([], dtype=torch.int64)"),
    ([], "bool", "tensor([], dtype=torch.bool)"),
    ([[]], "float32", "tensor([], size=(1, 0))"),
    ([[]], "int32", "tensor([], size=(1, 0), dtype=torch.int32)"),
    ([1.0, 2.0], "float32", "tensor([1., 2.])"),
    ([1.0, 2.5], "float32", "tensor([1.0000, 2.5000])"),
    ([1.0, -20.0], "float32", "tensor([  1., -20.])"),
    ([1.0, 2.0], "float64", "tensor([1., 2.], dtype=torch.float64)"),
    ([0.1], "float16", "tensor([0.1000], dtype=torch.float16)"),
    ([1.5, 3.0], "bfloat16", "tensor([1.5000, 3.0000], dtype=torch.bfloat16)"),
    ([1, -20, 300], "int64", "tensor([  1, -20, 300])"),
    ([1, 2], "uint8", "tensor([1, 2], dtype=torch.uint8)"),
    ([True, False], "bool", "tensor([ True, False])"),
    ([0.0, 0.0], "float32", "tensor([0., 0.])"),
    ([-0.0], "float32", "tensor([-0.])"),
    ([NAN], "float32", "tensor([nan])"),
    ([NAN, 1.0, -INF], "float32", "tensor([nan, 1., -inf])"),
    ([NAN, 1.5, INF], "float32", "tensor([   nan, 1.5000,    inf])"),
    ([0.001, 1000.5], "float32", "tensor([1.0000e-03, 1.0005e+03])"),
    ([0.00001], "float32", "tensor([1.0000e-05])"),
    ([1e8], "float32", "tensor([100000000.])"),
    ([2e8, NAN], "float32", "tensor([2.0000e+08,        nan])"),
    ([1.0, 2000.0], "float32", "tensor([1.0000e+00, 2.0000e+03])"),
    ([[1, 2], [3, 4]], "int64", "tensor([[1, 2],\n        [3, 4]])"),
    ([[[1.0]], [[2.0]]], "float32", "tensor([[[1.]],\n\n        [[2.]]])"),
    (
        range(30), "int64",
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])",
    ),
    (range(1001), "int64", "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    (
        np.zeros((1001, 2)), "float32",
        "tensor([[0., 0.],\n        [0., 0.],\n        [0., 0.],\n        ...,\n"
        "        [0., 0.],\n        [0., 0.],\n        [0., 0.]])",
    ),
]


@pytest.mark.parametrize(("values", "dtype", "expected"), LITERAL)
def test_prints_the_literal_text(values, dtype, expected):
    assert text(values, dtype) == expected


@pytest.mark.skipif(torch is None, reason="needs PyTorch")
@pytest.mark.parametrize(("values", "dtype", "expected"), LITERAL)
def test_the_literal_table_is_what_pytorch_prints(values, dtype, expected):
    assert repr(torch.tensor(np.array(values)).to(getattr(torch, dtype))) == expected


def test_facts_follow_the_numbers_and_wrap():
    assert text([1.0], suffixes=["requires_grad=True"]) == "tensor([1.], requires_grad=True)"
    assert (
        text([2.0], "float64", suffixes=["grad_fn=<MulBackward0>"])
        == "tensor([2.], dtype=torch.float64, grad_fn=<MulBackward0>)"
    )
    row = text(np.full(7, 0.5), suffixes=["grad_fn=<MulBackward0>"])
    assert row.endswith("0.5000],\n       grad_fn=<MulBackward0>)")


def test_default_dtype_is_not_written():
    assert text([0.5], "float64", default="float64") == "tensor([0.5000])"
    assert text([0.5], "float32", default="float64") == "tensor([0.5000], dtype=torch.float32)"


def test_parameter():
    assert printing.format_parameter("tensor([1.])") == "Parameter containing:\ntensor([1.])"


def test_format_of_one_number():
    assert printing.format_scalar(np.array(0.123456), ".4f") == "0.1235"
    assert printing.format_scalar(np.array(7), "03d") == "007"
    assert printing.format_scalar(np.array(0.5), "") == "0.5"
    with pytest.raises(TypeError, match=r"(?s)'\.4f'.*2x3.*write instead"):
        printing.format_scalar(np.zeros((2, 3)), ".4f")


class TestPrintOptions:
    def test_options_last_for_the_block(self):
        before = printing.get_printoptions()
        with printing.printoptions(precision=2, sci_mode=False):
            assert text([1.12345]) == "tensor([1.12])"
            assert text([1e-7]) == "tensor([0.00])"
            assert printing.get_printoptions() == {**before, "precision": 2, "sci_mode": False}
        assert printing.get_printoptions() == before

    def test_options_are_restored_after_an_error(self):
        before = printing.get_printoptions()
        with pytest.raises(KeyError), printing.printoptions(profile="full"):
            raise KeyError
        assert printing.get_printoptions() == before

    def test_sci_mode_is_reset_by_the_next_call(self):
        with printing.printoptions():
            printing.set_printoptions(sci_mode=True)
            assert text([1.5]) == "tensor([1.5000e+00])"
            printing.set_printoptions(precision=1)
            assert text([1.5]) == "tensor([1.5])"

    def test_unknown_profile(self):
        with pytest.raises(errors.ArgumentError, match="fancy"):
            printing.set_printoptions(profile="fancy")


if torch is not None:
    from hypothesis import given
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp

    OPTIONS = st.fixed_dictionaries({}, optional={
        "precision": st.integers(0, 8),
        "threshold": st.sampled_from([0, 5, 20, INF]),
        "edgeitems": st.integers(0, 4),
        "linewidth": st.integers(10, 120),
        "profile": st.sampled_from(["default", "short", "full"]),
        "sci_mode": st.sampled_from([True, False, None]),
    })
    DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8",
              "uint8", "bool"]

    @st.composite
    def tensors(draw):
        dtype = draw(st.sampled_from(DTYPES))
        shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9))
        stored = "float32" if dtype == "bfloat16" else dtype
        elements = None
        if dtype.endswith(("16", "32", "64")) and "float" in dtype:
            width = 16 if dtype == "float16" else 64 if dtype == "float64" else 32
            elements = draw(st.sampled_from([
                st.floats(width=width),
                st.sampled_from([0.0, 1.0, -2.0, 0.5, NAN, INF, -INF, 1000.0]),
                st.floats(-100, 100, width=width),
            ]))
        array = draw(hnp.arrays(stored, shape, elements=elements))
        return torch.from_numpy(array).to(getattr(torch, dtype)), dtype

    @given(tensors(), OPTIONS, st.booleans(), st.sampled_from(["float32", "float64"]))
    def test_prints_what_pytorch_prints(drawn, options, leaf, default):
        tensor, dtype = drawn
        suffixes = []
        if leaf and tensor.is_floating_point():
            tensor.requires_grad_()
            suffixes = ["requires_grad=True"]
        array = tensor.detach()
        array = (array.float() if dtype == "bfloat16" else array).numpy()
        before = torch.get_default_dtype()
        torch.set_default_dtype(getattr(torch, default))
        try:
            with torch._tensor_str.printoptions(**options), printing.printoptions(**options):
                ours = printing.format_tensor(
                    array, dtype, default_dtype=dtype == default, suffixes=suffixes
                )
                assert ours == repr(tensor)
        finally:
            torch.set_default_dtype(before)
