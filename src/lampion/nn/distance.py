"""Layers that compare two tensors vector by vector."""

from __future__ import annotations

from lampion.nn import functional as F
from lampion.nn.module import Module
from lampion.tensor import Tensor


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 + eps along the last axis.

    Shape:
        (*, D), (*, D) -> (*), or (*, 1) with keepdim

    Args:
        p: of the norm.
        eps: keeps the gradient finite where both are equal.
        keepdim: keep the last axis with size 1.
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`.

    Shape:
        (*1, D, *2), (*1, D, *2) -> (*1, *2)

    Args:
        dim: the axis of the vectors.
        eps: smallest length to divide by.

    Example:
        >>> import lampion as torch
        >>> torch.nn.CosineSimilarity()(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]))
        tensor([0.])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
