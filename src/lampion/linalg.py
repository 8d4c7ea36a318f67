"""Linear algebra under the names of `torch.linalg`."""

from __future__ import annotations

from .functions.linalg import cross, matmul, vector_norm
from .functions.reduction import norm
from .functions.shape import diagonal

__all__ = ["cross", "diagonal", "matmul", "norm", "vector_norm"]
