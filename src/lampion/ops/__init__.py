"""The primitive operations, one block each, filed by family.

`python -m lampion.ops` prints the table of all of them with their gradients.
"""

from . import (
    bessel,
    complex_numbers,
    contraction,
    control,
    convolution,
    decomposition,
    eigenvalues,
    elementwise,
    error_functions,
    gamma,
    implicit,
    indexing,
    matrix,
    movement,
    number_parts,
    polynomials,
    pooling,
    random,
    reduction,
    samplers,
    scattering,
    statistics,
)

__all__ = [
    "bessel", "complex_numbers", "contraction", "control", "convolution", "decomposition",
    "eigenvalues", "elementwise", "error_functions", "gamma", "implicit", "indexing", "matrix",
    "movement", "number_parts", "polynomials", "pooling", "random", "reduction", "samplers",
    "scattering", "statistics",
]
