"""Pruning: parameters of which some elements are held at zero.

A pruned `weight` becomes the parameter `weight_orig` and the buffer `weight_mask`; before every
forward `weight` is set to their product, so the elements that are left go on learning. `remove`
makes it an ordinary parameter again, with the zeros in it. Pruning a second time prunes what the
first time left.

Source: LeCun, Denker, Solla, "Optimal brain damage" (1990); Han et al. 2015 (by magnitude).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from lampion import errors
from lampion.autograd import no_grad
from lampion.functions import creation, random, reduction, shape
from lampion.nn.module import Module
from lampion.tensor import Tensor

__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured",
    "PruningContainer", "RandomStructured", "RandomUnstructured", "custom_from_mask",
    "global_unstructured", "identity", "is_pruned", "l1_unstructured", "ln_structured",
    "random_structured", "random_unstructured", "remove",
]


class BasePruningMethod(ABC):
    """A way to choose what is pruned; it is the hook that multiplies by the mask.

    Attributes:
        PRUNING_TYPE: "unstructured" (any elements), "structured" (whole slices) or "global".
    """

    PRUNING_TYPE = "unstructured"
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return ones where elements stay and zeros where they go.

        Args:
            t: how important each element is.
            default_mask: what is pruned already stays pruned.
        """

    def apply_mask(self, module: Module) -> Tensor:
        """Return the parameter times its mask."""
        original = getattr(module, self._tensor_name + "_orig")
        mask = getattr(module, self._tensor_name + "_mask")
        return mask.to(dtype=original.dtype) * original

    @classmethod
    def apply(cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None,
              **kwargs: Any) -> BasePruningMethod:
        """Prune a parameter, and go on doing so before every forward.

        Args:
            module, name: what has the parameter, and its name.
            args, kwargs: for the constructor.
            importance_scores: of the parameter's shape; the parameter itself if not given.
        """
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        before = [(key, hook) for key, hook in module._forward_pre_hooks.items()
                  if isinstance(hook, BasePruningMethod) and hook._tensor_name == name]
        if before:
            key, found = before[0]
            container = PruningContainer(found)
            container.add_pruning_method(method)
            method = container
            del module._forward_pre_hooks[key]
        original = getattr(module, name)
        if importance_scores is not None and importance_scores.shape != original.shape:
            raise errors.ShapeError(
                "importance_scores should have the same shape as parameter "
                f"{name} of {module}: {importance_scores.shape} and {original.shape}")
        scores = original if importance_scores is None else importance_scores
        if before:
            mask = getattr(module, name + "_mask")
        else:
            mask = creation.ones_like(original.detach())
            parameter = module._parameters.pop(name)
            module.register_parameter(name + "_orig", parameter)
        with no_grad():
            mask = method.compute_mask(scores.detach(), mask)
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None,
              importance_scores: Tensor | None = None) -> Tensor:
        """Return a tensor with its elements pruned.

        Args:
            t: the tensor.
            default_mask: what is pruned already; nothing if not given.
            importance_scores: of t's shape; t itself if not given.
        """
        scores = t if importance_scores is None else importance_scores
        mask = creation.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, mask)

    def remove(self, module: Module) -> None:
        """Make the pruned tensor an ordinary parameter again, zeros and all."""
        name = self._tensor_name
        pruned = self.apply_mask(module)
        delattr(module, name)
        original = module._parameters.pop(name + "_orig")
        del module._buffers[name + "_mask"]
        assert original is not None
        original.data = pruned.data
        setattr(module, name, original)


class PruningContainer(BasePruningMethod):
    """Several prunings of one parameter, one after another."""

    def __init__(self, *methods: BasePruningMethod):
        self._methods: tuple[BasePruningMethod, ...] = ()
        for method in methods:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        """Add a pruning of what the others leave."""
        if isinstance(method, PruningContainer):
            self._methods += method._methods
        else:
            self._methods += (method,)
        self._tensor_name = method._tensor_name

    def __len__(self) -> int:
        return len(self._methods)

    def __iter__(self):
        return iter(self._methods)

    def __getitem__(self, index: int) -> BasePruningMethod:
        return self._methods[index]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Apply the last pruning to what the others have left."""
        method = self._methods[-1]
        mask = default_mask.to(dtype=t.dtype)
        if method.PRUNING_TYPE == "unstructured":
            left = mask == 1
            partial = method.compute_mask(t[left], default_mask[left])
            new = mask.clone()
            new[left] = partial.to(dtype=mask.dtype)
            return new
        if method.PRUNING_TYPE == "global":
            return mask * method.compute_mask(t, default_mask).to(dtype=mask.dtype)
        dim = getattr(method, "dim", 0) % t.dim()
        others = [k for k in range(t.dim()) if k != dim]
        left = mask.sum(others) != 0
        places = left.nonzero().flatten()
        part = t.index_select(dim, places)
        partial = method.compute_mask(part, default_mask.index_select(dim, places))
        return mask.index_copy(dim, places, partial.to(dtype=mask.dtype))


class Identity(BasePruningMethod):
    """Prune nothing; gives the parameter its mask."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class RandomUnstructured(BasePruningMethod):
    """Prune elements at random.

    Args:
        amount: a share from 0 to 1, or a whole number of elements.
    """

    def __init__(self, amount: float):
        _check_amount(amount)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = _count(self.amount, t.numel())
        if not count:
            return default_mask.clone()
        places = random.rand(t.numel()).topk(count).indices
        return _without(default_mask, places)


class L1Unstructured(BasePruningMethod):
    """Prune the elements of smallest magnitude.

    Args:
        amount: a share from 0 to 1, or a whole number of elements.
    """

    def __init__(self, amount: float):
        _check_amount(amount)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = _count(self.amount, t.numel())
        if not count:
            return default_mask.clone()
        return _without(default_mask, t.abs().flatten().topk(count, largest=False).indices)


class RandomStructured(BasePruningMethod):
    """Prune whole slices at random.

    Args:
        amount: a share from 0 to 1, or a whole number of slices.
        dim: the axis whose slices they are.
    """

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1):
        _check_amount(amount)
        self.amount, self.dim = amount, dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _without_slices(self, t, default_mask, random.rand(t.shape[self.dim]))


class LnStructured(BasePruningMethod):
    """Prune the slices of smallest norm.

    Args:
        amount: a share from 0 to 1, or a whole number of slices.
        n: which norm: 1, 2, inf, ...
        dim: the axis whose slices they are.
    """

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, n: Any, dim: int = -1):
        _check_amount(amount)
        self.amount, self.n, self.dim = amount, n, dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        axis = self.dim % t.dim()
        others = [k for k in range(t.dim()) if k != axis]
        norms = reduction.norm(t, p=self.n, dim=others) if others else t.abs()
        return _without_slices(self, t, default_mask, norms)


class CustomFromMask(BasePruningMethod):
    """Prune where a mask is 0.

    Args:
        mask: of the parameter's shape.
    """

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor):
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask * self.mask.to(dtype=default_mask.dtype)


def _check_amount(amount: Any) -> None:
    if not isinstance(amount, (int, float)) or isinstance(amount, bool):
        raise errors.ArgumentTypeError(f"Invalid type for amount: {amount!r}. Must be int or "
                                       "float.", fix="amount=0.3")
    if amount < 0 or (isinstance(amount, float) and amount > 1):
        raise errors.ArgumentError(
            f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
            "integer", fix="amount=0.3 for 30 %")


def _count(amount: float, size: int) -> int:
    if isinstance(amount, int):
        if amount > size:
            raise errors.ArgumentError(f"amount={amount} should be smaller than the number of "
                                       f"parameters to prune={size}")
        return amount
    return round(amount * size)


def _without(mask: Tensor, places: Tensor) -> Tensor:
    flat = mask.clone().flatten()
    flat[places] = 0
    return flat.reshape(mask.shape)


def _without_slices(method: Any, t: Tensor, default_mask: Tensor, norms: Tensor) -> Tensor:
    if t.dim() < 2:
        raise errors.ArgumentError("Structured pruning can only be applied to multidimensional "
                                   f"tensors. Found {t.dim()}D", fix="prune.l1_unstructured")
    if not -t.dim() <= method.dim < t.dim():
        raise errors.IndexRangeError(f"Invalid index {method.dim} for tensor of size {t.shape}")
    size = t.shape[method.dim]
    count = _count(method.amount, size)
    if not count:
        return default_mask
    kept = norms.topk(size - count).indices
    keep = creation.zeros(size, dtype=default_mask.dtype)
    keep[kept] = 1
    lengths = [1] * t.dim()
    lengths[method.dim] = size
    return default_mask * keep.reshape(lengths)


def identity(module: Module, name: str) -> Module:
    """Give a parameter a mask of ones; returns the module."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune elements at random; returns the module.

    Example:
        >>> import lampion as torch
        >>> layer = torch.nn.utils.prune.random_unstructured(torch.nn.Linear(2, 2), "weight", 1)
        >>> sorted(layer.state_dict())
        ['bias', 'weight_mask', 'weight_orig']
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: float,
                    importance_scores: Tensor | None = None) -> Module:
    """Prune the elements of smallest magnitude; returns the module.

    Example:
        >>> import lampion as torch
        >>> layer = torch.nn.Linear(4, 1)
        >>> _ = torch.nn.utils.prune.l1_unstructured(layer, "weight", amount=0.5)
        >>> int((layer.weight == 0).sum())
        2
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune whole slices along an axis at random; returns the module."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module: Module, name: str, amount: float, n: Any, dim: int,
                  importance_scores: Tensor | None = None) -> Module:
    """Prune the slices of smallest norm along an axis; returns the module."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune where a mask is 0; returns the module."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters: Iterable[tuple[Module, str]], pruning_method: Any,
                        importance_scores: Any = None, **kwargs: Any) -> None:
    """Prune several parameters as if they were one.

    Args:
        parameters: pairs of a module and the name of its parameter.
        pruning_method: a class of unstructured pruning.
        importance_scores: by such pairs; the parameters themselves where not given.
        kwargs: for the constructor, such as amount.
    """
    pairs = list(parameters)
    scores = importance_scores or {}
    flat = shape.cat([scores.get((m, n), getattr(m, n)).detach().flatten() for m, n in pairs])
    masks = shape.cat([
        getattr(m, n + "_mask", creation.ones_like(getattr(m, n).detach())).flatten()
        for m, n in pairs])
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise errors.ArgumentTypeError(
            'Only "unstructured" PRUNING_TYPE is supported for the `pruning_method`. Found '
            f"{pruning_method} of type {method.PRUNING_TYPE}")
    container = PruningContainer()
    method._tensor_name = "temp"
    container.add_pruning_method(method)
    final = container.compute_mask(flat, masks)
    start = 0
    for m, n in pairs:
        parameter = getattr(m, n)
        custom_from_mask(m, n, final[start:start + parameter.numel()].reshape(parameter.shape))
        start += parameter.numel()


def remove(module: Module, name: str) -> Module:
    """Make a pruned tensor an ordinary parameter again, zeros and all; returns the module."""
    for key, hook in list(module._forward_pre_hooks.items()):
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise errors.ArgumentError(f"Parameter '{name}' of module {module} has to be pruned before "
                               "pruning can be removed")


def is_pruned(module: Module) -> bool:
    """Return whether a module, or one inside it, is pruned."""
    return any(isinstance(hook, BasePruningMethod) for part in module.modules()
               for hook in part._forward_pre_hooks.values())


