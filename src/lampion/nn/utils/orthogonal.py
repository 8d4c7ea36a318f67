"""Weights that stay orthogonal while they are learned.

    Q = exp(A)                              matrix_exp
    Q = (I - A/2)^-1 (I + A/2)              cayley
    Q = H_1 H_2 ... H_k                     householder, H_i a reflection

with A = L - L^T of the lower triangle L of what is learned: exp(A) and the Cayley map of a
skew-symmetric matrix are orthogonal. With `use_trivialization` Q is multiplied by a fixed
orthogonal matrix, the weight at the beginning.

Source: Lezcano-Casado, Martínez-Rubio, "Cheap orthogonal constraints" (2019).
"""

from __future__ import annotations

import numpy as np

from lampion import errors, linalg
from lampion.autograd import no_grad
from lampion.functions import creation, matrix_powers, random, shape
from lampion.nn.module import Module
from lampion.nn.utils.parametrize import register_parametrization
from lampion.tensor import Tensor

MAPS = ("matrix_exp", "cayley", "householder")


class _Orthogonal(Module):
    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.orthogonal_map = orthogonal_map
        self.register_buffer("base", None)
        self.use_trivialization = use_trivialization
        self.shape = tuple(weight.shape)

    def forward(self, X: Tensor) -> Tensor:
        n, k = X.shape[-2:]
        turned = n < k
        x = X.mT if turned else X
        n, k = x.shape[-2:]
        if self.orthogonal_map == "householder":
            below = x.tril(-1)
            scale = 2.0 / (1.0 + (below * below).sum(-2))
            q = linalg.householder_product(below, scale)
            q = q * x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
        else:
            lower = x.tril()
            if n != k:
                beside = creation.zeros((*lower.shape[:-1], n - k), dtype=lower.dtype)
                lower = shape.cat([lower, beside], -1)
            skew = lower - lower.mT
            if self.orthogonal_map == "matrix_exp":
                q = matrix_powers.matrix_exp(skew)
            else:
                one = creation.eye(n, dtype=skew.dtype)
                q = linalg.solve(one - 0.5 * skew, one + 0.5 * skew)
            q = q[..., :k]
        if self.base is not None:
            q = self.base @ q
        return q.mT if turned else q

    def right_inverse(self, Q: Tensor) -> Tensor:
        if tuple(Q.shape) != self.shape:
            raise errors.ArgumentError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of "
                f"shape {tuple(Q.shape)}.")
        turned = Q.shape[-2] < Q.shape[-1]
        q = Q.mT if turned else Q
        n, k = q.shape[-2:]
        if not self.use_trivialization:
            if self.orthogonal_map != "householder":
                raise errors.UnsupportedError(
                    "It is not possible to assign to the matrix exponential or the Cayley "
                    "parametrizations when use_trivialization=False.",
                    fix="use_trivialization=True")
            # NumPy gives the reflections as LAPACK writes them, transposed.
            raw, factors = np.linalg.qr(q.detach().numpy(), mode="raw")
            reflections = np.swapaxes(raw, -1, -2).copy()
            places = np.arange(k)
            sign = np.sign(reflections[..., places, places])
            reflections[..., places, places] = np.where(factors == 0, -sign, sign)
            made = creation.tensor(reflections)
            return made.mT if turned else made
        with no_grad():
            if n != k:
                # The base is square: its first columns are Q, the others anything orthogonal.
                more = random.randn((*q.shape[:-2], n, n - k), dtype=q.dtype)
                whole = _nearest(shape.cat([q, more], -1))
                self.base = shape.cat([_nearest(q), whole[..., k:]], -1)
            else:
                self.base = _nearest(q)
        # With the base, minus the identity stands for no turn at all in each of the maps.
        start = creation.zeros_like(q)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start.mT if turned else start


def _nearest(x: Tensor) -> Tensor:
    """An orthogonal matrix with the same spaces of first columns: x itself if it is orthogonal."""
    q, r = linalg.qr(x)
    sign = r.diagonal(dim1=-2, dim2=-1).sign()
    return q * sign.unsqueeze(-2)


def orthogonal(module: Module, name: str = "weight", orthogonal_map: str | None = None, *,
               use_trivialization: bool = True) -> Module:
    """Keep a matrix (or each of several) orthogonal: Q^T Q = I, or Q Q^T = I for wide ones.

    Args:
        module: what has the parameter.
        name: of the parameter.
        orthogonal_map: "matrix_exp" (the default for square matrices), "cayley" or "householder"
            (the default for others).
        use_trivialization: start from the weight as it is, made orthogonal.

    Raises:
        ArgumentError: no such parameter, fewer than two axes, or an unknown map.

    Example:
        >>> import lampion as torch
        >>> layer = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(3, 3))
        >>> torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(3))

    Source: Lezcano-Casado and Martínez-Rubio 2019.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise errors.ArgumentError(
            f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise errors.ArgumentError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in MAPS:
        raise errors.ArgumentError('orthogonal_map has to be one of "matrix_exp", "cayley", '
                                   f'"householder". Got: {orthogonal_map}')
    made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
