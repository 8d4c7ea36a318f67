"""Ready-made parametrizations: weight and spectral normalisation."""

from __future__ import annotations

from lampion import errors
from lampion.autograd import no_grad
from lampion.nn import functional as F
from lampion.nn.convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from lampion.nn.module import Module
from lampion.nn.utils.orthogonal import orthogonal
from lampion.nn.utils.parametrize import register_parametrization
from lampion.nn.utils.weight_norm import norm_except
from lampion.tensor import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Split a parameter into length (`original0`) and direction (`original1`).

    Args:
        module: what has the parameter.
        name: of the parameter.
        dim: axis along which every slice has its own length; None for one length.

    Source: Salimans, Kingma, "Weight normalization" (2016), equation 2.
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    """Divide a weight by its largest singular value, found by the power method."""

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        axes = weight.dim()
        if not -axes <= dim < axes:
            raise errors.IndexRangeError(
                "Dimension out of range (expected to be in range of "
                f"[{-axes}, {axes - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise errors.ArgumentError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}",
                fix="n_power_iterations=1")
        self.dim = dim % axes
        self.eps = eps
        if axes > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = self._as_matrix(weight)
                for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                    drawn = matrix.new_empty(size).normal_(0, 1)
                    self.register_buffer(name, F.normalize(drawn, dim=0, eps=eps))
                self._power_method(matrix, 15)

    def _as_matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.dim, 0).flatten(1)

    @no_grad()
    def _power_method(self, matrix: Tensor, iterations: int) -> None:
        """Bring u and v nearer to the singular vectors of the largest singular value."""
        for _ in range(iterations):
            self._u.copy_(F.normalize(matrix.mv(self._v), dim=0, eps=self.eps))
            self._v.copy_(F.normalize(matrix.t().mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._as_matrix(weight)
        if self.training:
            self._power_method(matrix.detach(), self.n_power_iterations)
        # Copies: a second forward may change u and v before the first one's backward.
        u, v = self._u.clone(), self._v.clone()
        return weight / u.dot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a parameter by its largest singular value.

    Args:
        module: what has the parameter.
        name: of the parameter.
        n_power_iterations: steps of the power method at every reading in training mode.
        eps: smallest length to divide by.
        dim: axis of the outputs; 0, or 1 for transposed convolutions, when not given.

    Source: Miyato et al., "Spectral normalization for generative adversarial networks" (2018),
    algorithm 1.

    Example:
        >>> import lampion as torch
        >>> layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(20, 40))
        >>> layer.parametrizations.weight[0]
        _SpectralNorm()
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise errors.ArgumentError(
            f"Module '{module}' has no parameter or buffer with name '{name}'")
    if dim is None:
        turned = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
        dim = 1 if isinstance(module, turned) else 0
    return register_parametrization(
        module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
