"""Tables of vectors that are looked up by index."""

from __future__ import annotations

from typing import Any

from lampion import errors
from lampion.autograd import no_grad
from lampion.nn import functional as F
from lampion.nn import init
from lampion.nn.common import empty_parameter
from lampion.nn.module import Module
from lampion.nn.parameter import Parameter
from lampion.tensor import Tensor


class _Table(Module):
    """What `Embedding` and `EmbeddingBag` share: the table and its special row."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None

    def _set_up(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None,
        weight: Tensor | None, freeze: bool, device: Any, dtype: Any,
    ) -> None:
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < max(num_embeddings, 1):
                raise errors.ArgumentError(
                    "padding_idx must be within num_embeddings",
                    why=f"padding_idx is {padding_idx}, num_embeddings is {num_embeddings}",
                    fix=f"padding_idx from {-num_embeddings} to {num_embeddings - 1}")
            if padding_idx < 0:
                padding_idx += num_embeddings
        self.padding_idx = padding_idx
        if weight is None:
            self.weight = empty_parameter((num_embeddings, embedding_dim), device, dtype)
            self.weight.requires_grad_(not freeze)
            self.reset_parameters()
        elif tuple(weight.shape) != (num_embeddings, embedding_dim):
            raise errors.ArgumentError(
                "Shape of weight does not match num_embeddings and embedding_dim",
                why=f"weight is {tuple(weight.shape)}, not {(num_embeddings, embedding_dim)}",
                fix="nn.Embedding.from_pretrained(weight)")
        else:
            self.weight = Parameter(weight, requires_grad=not freeze)

    def reset_parameters(self) -> None:
        """Draw all vectors from the normal distribution; the padding row is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)


class Embedding(_Table):
    """Return the vector of every index.

    Shape:
        (*) of integers -> (*, embedding_dim)

    Args:
        num_embeddings: number of vectors; indices go from 0 to one less.
        embedding_dim: length of a vector.
        padding_idx: an index whose vector starts as zero and gets no gradient.
        max_norm: vectors that are longer are scaled to this length when they are looked up.
        norm_type: the p of the norm that measures the length.
        scale_grad_by_freq: divide a vector's gradient by how often it was looked up.
        sparse: taken for compatibility; gradients are dense.
        device, dtype: of the vectors.

    Example:
        >>> import lampion as torch
        >>> torch.nn.Embedding(10, 3)(torch.tensor([[1, 2, 4], [4, 3, 9]])).shape
        torch.Size([2, 3, 3])
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
        sparse: bool = False, _weight: Tensor | None = None, _freeze: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        self._set_up(num_embeddings, embedding_dim, padding_idx, _weight, _freeze, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
                           self.scale_grad_by_freq, self.sparse)

    def extra_repr(self) -> str:
        parts = [str(self.num_embeddings), str(self.embedding_dim)]
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        if self.max_norm is not None:
            parts.append(f"max_norm={self.max_norm}")
        if self.norm_type != 2:
            parts.append(f"norm_type={self.norm_type}")
        if self.scale_grad_by_freq is not False:
            parts.append(f"scale_grad_by_freq={self.scale_grad_by_freq}")
        if self.sparse is not False:
            parts.append("sparse=True")
        return ", ".join(parts)

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None,
        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """Make a table of given vectors.

        Args:
            embeddings: (number of vectors, their length).
            freeze: the vectors are not trained.
            padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse: as for the class.
        """
        _check_matrix(embeddings)
        rows, columns = embeddings.shape
        return cls(
            num_embeddings=rows, embedding_dim=columns, _weight=embeddings, _freeze=freeze,
            padding_idx=padding_idx, max_norm=max_norm, norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


class EmbeddingBag(_Table):
    """Return the sum, mean or maximum of the vectors of every bag of indices.

    Shape:
        (B, N) of integers, or (N) with offsets (B) -> (B, embedding_dim)

    Args:
        num_embeddings: number of vectors.
        embedding_dim: length of a vector.
        max_norm, norm_type, scale_grad_by_freq, sparse: as for `Embedding`.
        mode: "sum", "mean" or "max".
        include_last_offset: offsets have one more element, the end of the last bag.
        padding_idx: an index that does not count.
        device, dtype: of the vectors.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
        sparse: bool = False, _weight: Tensor | None = None, include_last_offset: bool = False,
        padding_idx: int | None = None, device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self._set_up(num_embeddings, embedding_dim, padding_idx, _weight, False, device, dtype)

    def forward(
        self, input: Tensor, offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
            self.mode, self.sparse, per_sample_weights, self.include_last_offset,
            self.padding_idx)

    def extra_repr(self) -> str:
        parts = [str(self.num_embeddings), str(self.embedding_dim)]
        if self.max_norm is not None:
            parts.append(f"max_norm={self.max_norm}")
        if self.norm_type != 2:
            parts.append(f"norm_type={self.norm_type}")
        if self.scale_grad_by_freq is not False:
            parts.append(f"scale_grad_by_freq={self.scale_grad_by_freq}")
        parts.append(f"mode={self.mode!r}")
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        return ", ".join(parts)

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
        sparse: bool = False, include_last_offset: bool = False, padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """Make a table of given vectors; `freeze` says that they are not trained."""
        _check_matrix(embeddings)
        rows, columns = embeddings.shape
        bag = cls(
            num_embeddings=rows, embedding_dim=columns, _weight=embeddings, max_norm=max_norm,
            norm_type=norm_type, scale_grad_by_freq=scale_grad_by_freq, mode=mode, sparse=sparse,
            include_last_offset=include_last_offset, padding_idx=padding_idx)
        bag.weight.requires_grad_(not freeze)
        return bag


def _check_matrix(embeddings: Tensor) -> None:
    if embeddings.dim() != 2:
        raise errors.ArgumentError(
            "Embeddings parameter is expected to be 2-dimensional",
            why=f"it has shape {tuple(embeddings.shape)}",
            fix="a tensor of shape (number of vectors, their length)")
