"""A softmax over many classes of which most are rare, at a fraction of the cost."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from lampion import errors
from lampion.functions import creation, shape
from lampion.nn import functional as F
from lampion.nn.container import ModuleList, Sequential
from lampion.nn.linear import Linear
from lampion.nn.module import Module
from lampion.tensor import Tensor

ASMoutput = namedtuple("ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """The log-probability of each target, with the rare classes in clusters of smaller features.

    log p(y) = head(y)                               for the frequent classes
    log p(y) = head(cluster) + tail_cluster(y)       for the others

    Shape: input (N, in_features) or (in_features,), target (N,) or () -> output (N,) or (), and
        the loss, a number.

    Args:
        in_features: of the input.
        n_classes: sorted by falling frequency.
        cutoffs: the classes at which clusters begin, rising, the last below n_classes.
        div_value: cluster k has in_features // div_value^(k + 1) features.
        head_bias: the head has a bias.
        device, dtype: of the parameters.

    Raises:
        ArgumentError: cutoffs that do not rise, or lie outside the classes.

    Source: Grave et al., "Efficient softmax approximation for GPUs" (2017).

    Example:
        >>> import lampion as torch
        >>> layer = torch.nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs=[5, 10])
        >>> output, loss = layer(torch.zeros(3, 16), torch.tensor([0, 7, 19]))
        >>> output.shape
        torch.Size([3])
    """

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0,
        head_bias: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise errors.ArgumentError("cutoffs should be a sequence of length larger than 0")
        if cutoffs != sorted(set(cutoffs)) or min(cutoffs) <= 0 or max(cutoffs) > n_classes - 1 \
                or any(int(c) != c for c in cutoffs):
            raise errors.ArgumentError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
                "order, where each value is between 1 and n_classes-1",
                why=f"cutoffs are {cutoffs}, n_classes is {n_classes}")
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for k in range(self.n_clusters):
            narrow = int(in_features // (div_value ** (k + 1)))
            size = self.cutoffs[k + 1] - self.cutoffs[k]
            self.tail.append(Sequential(
                Linear(in_features, narrow, False, device, dtype),
                Linear(narrow, size, False, device, dtype)))

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        self.head.reset_parameters()
        for cluster in self.tail:
            for layer in cluster:  # type: ignore[attr-defined]
                layer.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> Any:
        """Return (the targets' log-probabilities, minus their mean)."""
        if input.dim() not in (1, 2) or target.dim() != input.dim() - 1:
            raise errors.ShapeError(
                f"AdaptiveLogSoftmaxWithLoss: input {tuple(input.shape)} and target "
                f"{tuple(target.shape)}", why="they are (N, in_features) and (N,), or without N")
        if target.dim() and input.shape[0] != target.shape[0]:
            raise errors.ShapeError("Input and target should have the same size in the batch "
                                    f"dimension: {input.shape[0]} and {target.shape[0]}")
        one = input.dim() == 1
        x, y = (input.unsqueeze(0), target.unsqueeze(0)) if one else (input, target)
        if bool(((y < 0) | (y >= self.n_classes)).any()):
            raise errors.StateError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{int(y.min())}, {int(y.max())}] were found. ")
        head = F.log_softmax(self.head(x), dim=1)
        place = y
        extra = creation.zeros(x.shape[0], dtype=head.dtype)
        for k, cluster in enumerate(self.tail):
            low, high = self.cutoffs[k], self.cutoffs[k + 1]
            rows = ((y >= low) & (y < high)).nonzero().flatten()
            if not rows.numel():
                continue
            inside = F.log_softmax(cluster(x.index_select(0, rows)), dim=1)
            found = inside.gather(1, (y[rows] - low).unsqueeze(1)).squeeze(1)
            extra = extra.index_add(0, rows, found)
            place = place.index_fill(0, rows, self.shortlist_size + k)
        output = head.gather(1, place.unsqueeze(1)).squeeze(1) + extra
        return ASMoutput(output.squeeze(0) if one else output, (-output).mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log-probabilities of all classes: (N, in_features) -> (N, n_classes)."""
        head = F.log_softmax(self.head(input), dim=1)
        parts = [head[:, :self.shortlist_size]]
        for k, cluster in enumerate(self.tail):
            inside = F.log_softmax(cluster(input), dim=1)
            parts.append(inside + head[:, self.shortlist_size + k].unsqueeze(1))
        return shape.cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """Return the most probable class of each row: (N, in_features) -> (N,)."""
        return self.log_prob(input).argmax(1)
