"""The primitive operations, one block each, filed by family.

`python -m lampion.ops` prints the table of all of them with their gradients.
"""

from . import (
    contraction,
    convolution,
    elementwise,
    indexing,
    movement,
    random,
    reduction,
)

__all__ = [
    "contraction", "convolution", "elementwise", "indexing", "movement", "random", "reduction",
]
