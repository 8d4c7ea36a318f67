"""The primitive operations, one block each, filed by family.

`python -m lampion.ops` prints the table of all of them with their gradients.
"""

from . import (
    contraction,
    control,
    convolution,
    elementwise,
    indexing,
    movement,
    pooling,
    random,
    reduction,
    statistics,
)

__all__ = [
    "contraction", "control", "convolution", "elementwise", "indexing", "movement", "pooling",
    "random", "reduction", "statistics",
]
