"""Entries that differ from PyTorch for a reason: what PyTorch does is no better, or is not fixed.

They count as failed all the same; the table says why beside them.
"""

from __future__ import annotations

KNOWN = {
    "as_strided_scatter": "PyTorch's gradient for the input is wrong: it is not 0 where src was "
                          "written",
    "linalg.pinv (hermitian)": "PyTorch's gradient reads the whole matrix, its value one triangle",
    "special.bessel_j0": "PyTorch is off by 4e-7 between 5 and 9; lampion by 5e-16",
    "special.bessel_y1": "PyTorch is off by 8e-7 near 5; lampion by 4e-14",
    "nn.functional.gaussian_nll_loss": "a target of fewer axes than the input is refused: repeated "
                                       "silently, it is the usual mistake",
    "__rdiv__": "a number in the place of self: TypeError, where PyTorch's is an AttributeError",
    "__radd__": "asks for a refusal that would cost every sum of a number and a tensor",
    "__rmul__": "asks for a refusal that would cost every product of a number and a tensor",
    "special.airy_ai": "no program of the survey uses it",
}
